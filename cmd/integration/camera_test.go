package integration

import (
	"os"
	"slices"
	"testing"

	"cloudcanvas/shared/broker/brokertest"
)

// BenchmarkCamera holds canvas-edge against the same pipeline in one Python process
// (deps/peers/python/camera.py, by the interpreter that $CANVAS_PEER_PYTHON names), by turns: the
// same video, network and mosquitto, a row on disk and a message of QoS 1 a frame, the row freed on
// its PUBACK, no tracks or pictures.
//
//	frames/s   between the first and the last PUBACK of a file that is read as fast as it is taken
//	p50, p99   from a frame decoded to the PUBACK of its detections, of an RTSP camera at livePace
//	MiB        the most memory resident at that pace, with the decoder's process
//
// Times of frames are the programs' own, those of PUBACKs the tap's. Detections of the file are
// compared one by one. Run with -benchtime=1x.
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
	live := streamed(b, video, livePace)
	sides := []side{
		{name: "canvas", start: func(at place) *process { return startCanvas(b, at, weights) }, read: ofCanvas},
		{name: "python", start: func(at place) *process { return startPython(b, at, python, weights) }, read: ofPython},
	}
	t := startTap(b, brokertest.StartMosquitto(b, "persistence false", "set_tcp_nodelay true").URL)
	for b.Loop() {
		figures := map[string][]float64{}
		for turn := range turns {
			var found [2][]looked
			for i, s := range sides {
				fast := s.run(b, t, video, length)
				found[i] = fast.frames
				figures[s.name+"-frames/s"] = append(figures[s.name+"-frames/s"], rate(fast.frames))
				figures[s.name+"-file-MiB"] = append(figures[s.name+"-file-MiB"], fast.mib)
				paced := s.run(b, t, live, settling+seconds*livePace)
				frames := paced.frames[settling:]
				waits := make([]float64, len(frames))
				for i, f := range frames {
					waits[i] = float64(f.acked.Sub(f.decoded).Microseconds()) / 1000
				}
				slices.Sort(waits)
				for unit, value := range map[string]float64{"-live-frames/s": rate(frames), "-p50-ms": waits[len(waits)/2],
					"-p99-ms": waits[len(waits)*99/100], "-MiB": paced.mib} {
					figures[s.name+unit] = append(figures[s.name+unit], value)
				}
			}
			same, of := compared(b, found[0], found[1])
			if same != of {
				b.Errorf("turn %d: %d detections of %d are the same", turn, same, of)
			}
			figures["detections"], figures["same-detections"] = []float64{float64(of)}, []float64{float64(same)}
		}
		at := func(name string) float64 {
			of := figures[name]
			slices.Sort(of)
			return of[len(of)/2]
		}
		for name := range figures {
			b.ReportMetric(at(name), name)
		}
		b.ReportMetric(at("canvas-frames/s")/at("python-frames/s"), "frames/s-ofPython")
		b.ReportMetric(at("canvas-p99-ms")/at("python-p99-ms"), "p99-ofPython")
		b.ReportMetric(at("canvas-MiB")/at("python-MiB"), "MiB-ofPython")
	}
}

const (
	livePace = 25 // frames a second that both sustain
	settling = 50 // frames after a start that are not judged
)

// rate is frames a second between the first and the last PUBACK.
func rate(frames []looked) float64 {
	return float64(len(frames)-1) / frames[len(frames)-1].acked.Sub(frames[0].acked).Seconds()
}

// compared says how many detections both sides report within 1 pixel and 0.01 of score, and how many
// there are on the side that has more.
func compared(b *testing.B, ours, theirs []looked) (same, of int) {
	b.Helper()
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
