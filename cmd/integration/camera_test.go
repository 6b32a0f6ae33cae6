package integration

import (
	"os"
	"slices"
	"testing"

	"cloudcanvas/shared/brokertest"
)

// BenchmarkCamera holds canvas-edge against the same pipeline in one Python process
// (deps/peers/python/camera.py, by the interpreter that $CANVAS_PEER_PYTHON names), by turns: the
// same video, network and mosquitto, a row on disk and a message of QoS 1 a frame, the row freed on
// its PUBACK, no tracks or pictures.
//
//	frames/s   between the first and the last PUBACK of a file that is read as fast as it is taken
//	p50, p99   from a frame decoded to the PUBACK of its detections, of an RTSP camera at livePace
//	MiB        the most memory resident at that pace, with the decoder's process
//	MiB-a-camera   a fourth of what four cameras take, of pages that processes share each one's part:
//	               one canvas-edge, or four Python processes
//
// Times of frames are the programs' own, those of PUBACKs the tap's; p99 tells something only where
// both sides' live-frames/s reach livePace. Detections of the file are compared one by one. Run with
// -benchtime=1x.
func BenchmarkCamera(b *testing.B) {
	python := os.Getenv("CANVAS_PEER_PYTHON")
	if python == "" {
		b.Skip("CANVAS_PEER_PYTHON names no interpreter with deps/peers/python/requirements.txt: run make bench")
	}
	program(b, "canvas-edge")
	weights, video := asset(b, "models/yolox_nano.onnx"), asset(b, "videos/vtest.avi")
	turns, seconds := 3, 30
	if testing.Short() {
		turns, seconds = 1, 4
	}
	length := framesOf(b, video)
	live, slow := streamed(b, video, livePace), streamed(b, video, slowPace)
	sides := []side{
		{name: "canvas", start: func(at place) []*process { return startCanvas(b, at, weights) }, read: ofCanvas},
		{name: "python", start: func(at place) []*process { return startPython(b, at, python, weights) }, read: ofPython},
	}
	t := startTap(b, brokertest.StartMosquitto(b, "persistence false").URL)
	for b.Loop() {
		all, detections, differing := figures{}, 0, 0
		for range turns {
			var found [2][]looked
			for i, s := range sides {
				fast := s.run(b, t, length, video)
				found[i] = fast.frames
				all.add(s.name+"-frames/s", rate(fast.frames))
				all.add(s.name+"-file-MiB", fast.mib)
				paced := s.run(b, t, settling+seconds*livePace, live)
				judged := paced.frames[settling:]
				waits := waited(judged)
				all.add(s.name+"-live-frames/s", rate(judged))
				all.add(s.name+"-p50-ms", waits[len(waits)/2])
				all.add(s.name+"-p99-ms", waits[len(waits)*99/100])
				all.add(s.name+"-MiB", paced.mib)
				many := s.run(b, t, cameras*settling, slices.Repeat([]string{slow}, cameras)...)
				all.add(s.name+"-MiB-a-camera", many.share/cameras)
			}
			same, of := compared(found[0], found[1])
			detections, differing = of, max(differing, of-same)
		}
		for name := range all {
			b.ReportMetric(all.median(name), name)
		}
		for _, name := range []string{"frames/s", "p99-ms", "MiB", "MiB-a-camera"} {
			b.ReportMetric(all.median("canvas-"+name)/all.median("python-"+name), name+"-ofPython")
		}
		b.ReportMetric(float64(detections), "detections")
		b.ReportMetric(float64(differing), "differing-detections")
	}
}

const (
	livePace = 25 // frames a second that both sustain
	slowPace = 5  // of each of several cameras
	cameras  = 4
	settling = 50 // frames after a start that are not judged
)

// figures are what was measured in each turn, by name.
type figures map[string][]float64

func (f figures) add(name string, value float64) { f[name] = append(f[name], value) }

func (f figures) median(name string) float64 {
	slices.Sort(f[name])
	return f[name][len(f[name])/2]
}

// waited are the milliseconds from each frame decoded to its PUBACK, the shortest first.
func waited(frames []looked) (ms []float64) {
	for _, f := range frames {
		ms = append(ms, float64(f.acked.Sub(f.decoded).Microseconds())/1000)
	}
	slices.Sort(ms)
	return ms
}

// rate is frames a second between the first and the last PUBACK.
func rate(frames []looked) float64 {
	return float64(len(frames)-1) / frames[len(frames)-1].acked.Sub(frames[0].acked).Seconds()
}

// compared says how many detections both sides report within 1 pixel and 0.01 of score, and how many
// there are on the side that has more.
func compared(ours, theirs []looked) (same, of int) {
	frames := map[int][]seen{}
	for _, f := range theirs {
		frames[f.frame] = f.seen
	}
	here, there := 0, 0
	for _, f := range ours {
		others := slices.Clone(frames[f.frame])
		here, there = here+len(f.seen), there+len(others)
		for _, s := range f.seen {
			if at := slices.IndexFunc(others, s.is); at >= 0 {
				others = slices.Delete(others, at, at+1)
				same++
			}
		}
	}
	return same, max(here, there)
}
