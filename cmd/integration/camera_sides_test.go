package integration

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/model"
)

// side is one of the two programs of BenchmarkCamera.
type side struct {
	name  string
	start func(place) []*process
	read  func(acked) (looked, bool)
}

// place is where one run takes its frames from and puts its messages and files.
type place struct {
	videos    []string
	mqtt, dir string
}

// looked is a frame whose detections have arrived.
type looked struct {
	frame          int
	decoded, acked time.Time
	seen           []seen
}

// seen is a detection that is worth a report.
type seen struct {
	label string
	score float64
	box   [4]float32
}

const reported = 0.3 // the score from which on it is

func (s seen) is(other seen) bool {
	for i := range s.box {
		if math.Abs(float64(s.box[i]-other.box[i])) > 1 {
			return false
		}
	}
	return s.label == other.label && math.Abs(s.score-other.score) <= 0.01
}

// outcome is what one run gave.
type outcome struct {
	frames []looked // as they were acknowledged
	mib    float64  // the most memory that was resident
	share  float64  // MiB at the end, where pages that several processes have count once
}

// run lets the program look at so many frames.
func (s side) run(b *testing.B, t *tap, frames int, videos ...string) (o outcome) {
	b.Helper()
	t.forget()
	all := s.start(place{videos: videos, mqtt: t.url, dir: b.TempDir()})
	read := 0
	for deadline, over := time.Now().Add(5*time.Minute), false; len(o.frames) < frames; time.Sleep(100 * time.Millisecond) {
		for _, p := range all {
			over = over || p.ended()
		}
		o.mib = max(o.mib, memory(all, "status", "VmHWM:"))
		for _, a := range t.since(read) {
			read++
			if f, ok := s.read(a); ok {
				o.frames = append(o.frames, f)
			}
		}
		if over && len(o.frames) < frames || time.Now().After(deadline) {
			b.Fatalf("%s has told of %d frames of %d\n%s", s.name, len(o.frames), frames, all[0].log.tail(20))
		}
	}
	o.share = memory(all, "smaps_rollup", "Pss:")
	for _, p := range all {
		p.cmd.Process.Signal(syscall.SIGTERM) // one that has ended hears nothing
		<-p.done
	}
	slices.SortStableFunc(o.frames, func(x, y looked) int { return x.acked.Compare(y.acked) })
	return o
}

// startCanvas starts one process for all videos.
func startCanvas(b *testing.B, at place, weights string) []*process {
	var cameras []string
	for i, video := range at.videos {
		cameras = append(cameras, fmt.Sprintf("{name: gate-%d, address: %q, detector: yolox_nano}", i, video))
	}
	config := write(b, filepath.Join(at.dir, "edge.yaml"), `
edge: mast-%d
data: %q
cloud: {url: %q}
models: {folders: [%q]}
cameras: [%s]
detect: {batch: {frames: 1}, tracks: {off: true}, alerts: {off: true}, snapshot: {off: true}}
frame_every: 0s
uplink: {receipts: puback}
telemetry: {listen: ""}
`, time.Now().UnixNano(), filepath.Join(at.dir, "data"), at.mqtt, filepath.Dir(weights), strings.Join(cameras, ", "))
	return []*process{start(b, "canvas-edge", "--config", config, "run")}
}

// startPython starts a process for each video.
func startPython(b *testing.B, at place, python, weights string) (all []*process) {
	broker, err := url.Parse(at.mqtt)
	if err != nil {
		b.Fatal(err)
	}
	for i, video := range at.videos {
		name := fmt.Sprintf("gate-%d", i)
		// Without the native libraries of this project, which are for go test.
		all = append(all, startAt(b, "env", "python", "-u", "LD_LIBRARY_PATH", python, filepath.Join(root(b), "deps", "peers", "python", "camera.py"),
			"--name", name, "--video", video, "--model", weights, "--mqtt", broker.Host, "--outbox", filepath.Join(at.dir, name+".db"), "--topic", pythonTopic))
	}
	return all
}

const pythonTopic = "python/camera/detections"

// ofCanvas reads a message of canvas-edge: an envelope with the detections of one frame.
func ofCanvas(a acked) (f looked, ok bool) {
	if !strings.HasSuffix(a.topic, "/"+string(event.Result)) {
		return f, false
	}
	i, err := event.UnmarshalMQTT(a.payload)
	if err != nil {
		return f, false
	}
	var d event.Detections
	if json.Unmarshal(i.Data, &d) != nil || len(d.Frames) != 1 { // the end of a file has none
		return f, false
	}
	f = looked{frame: d.Frames[0].Frame, decoded: d.Frames[0].Time, acked: a.at}
	for _, box := range d.Frames[0].Boxes {
		if box.Score > reported {
			f.seen = append(f.seen, seen{box.Label, float64(box.Score), box.BBox})
		}
	}
	return f, true
}

// ofPython reads a message of camera.py.
func ofPython(a acked) (f looked, ok bool) {
	var d struct {
		Frames []struct {
			Frame int
			Time  time.Time
			Boxes []struct {
				Class int
				Score float64
				BBox  [4]float32
			}
		}
	}
	if a.topic != pythonTopic || json.Unmarshal(a.payload, &d) != nil || len(d.Frames) != 1 {
		return f, false
	}
	f = looked{frame: d.Frames[0].Frame, decoded: d.Frames[0].Time, acked: a.at}
	for _, box := range d.Frames[0].Boxes {
		f.seen = append(f.seen, seen{model.COCOLabels()[box.Class], box.Score, box.BBox})
	}
	return f, true
}

// framesOf is how many frames a video has.
func framesOf(b *testing.B, video string) int {
	b.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", video).Output()
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// ended says whether the process lives no more.
func (p *process) ended() bool {
	select {
	case err := <-p.done:
		p.done <- err
		return true
	default:
		return false
	}
}

// memory is what processes and their children have by a line of a file of /proc, in MiB.
func memory(all []*process, file, line string) (mib float64) {
	for _, p := range all {
		mib += memoryOf(p.cmd.Process.Pid, file, line)
	}
	return mib
}

func memoryOf(pid int, file, line string) (mib float64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0 // it has ended
	}
	for l := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(l, line); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			mib += kib / 1024
		}
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for _, child := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				mib += memoryOf(n, file, line)
			}
		}
	}
	return mib
}
