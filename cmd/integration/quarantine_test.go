package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// faulty builds a program with a decoder and a network that raise SIGSEGV in C on certain images.
func faulty(t testing.TB, name string) string {
	t.Helper()
	tags := ""
	for _, flag := range strings.Fields(os.Getenv("GOFLAGS")) {
		if list, ok := strings.CutPrefix(flag, "-tags="); ok {
			tags = list
		}
	}
	if tags == "" {
		t.Skip("the build's environment is not set: source deps/env.sh, or run make test")
	}
	path := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-tags", tags+",crashhook", "-ldflags", os.Getenv("CANVAS_LDFLAGS"), "-o", path, "./cmd/"+name)
	build.Dir = root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// picture is a PNG; a stage makes it one on which the faulty build crashes: 1 decoding, 2 inferring.
func picture(t testing.TB, w, h, stage int) []byte {
	t.Helper()
	im := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			im.Set(x, y, color.RGBA{uint8(x * 3), uint8(y * 5), uint8(w), 255})
		}
	}
	im.Set(0, 0, color.RGBA{uint8(stage), 66, 13, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func killer(t testing.TB, stage int) []byte { return picture(t, 61, 43, stage) }

// TestInputsThatCrashTheProcessAreQuarantinedAndTheOthersArrive starts canvas-edge again each time it
// dies, as systemd does, over a folder with two images that kill it and a camera that sends a third.
func TestInputsThatCrashTheProcessAreQuarantinedAndTheOthersArrive(t *testing.T) {
	t.Parallel()
	program := faulty(t, "canvas-edge")
	s := newSite(t)
	images := filepath.Join(s.dir, "images")
	os.MkdirAll(images, 0o755)
	want := map[string]bool{}
	for i := range 10 {
		name := fmt.Sprintf("%02d.png", i)
		want[name] = true
		os.WriteFile(filepath.Join(images, name), picture(t, 96+i, 160, 9), 0o644)
	}
	os.WriteFile(filepath.Join(images, "03-decoder.png"), killer(t, 1), 0o644)
	os.WriteFile(filepath.Join(images, "06-network.png"), killer(t, 2), 0o644)
	config := s.configure(fmt.Sprintf(`
images: [{name: survey, path: %q, detector: opencv_hog_people}]
frames: {enabled: true, detector: opencv_hog_people}
`, images))
	camera, err := mqtt.Dial(t.Context(), mqtt.Options{URL: s.local.URL, ClientID: "gate"})
	if err != nil {
		t.Fatal(err)
	}
	defer camera.Close()
	send := func(frame []byte) {
		if err := camera.Publish(t.Context(), "canvas/cameras/gate/frame", 1, false, frame); err != nil {
			t.Fatal(err)
		}
	}
	frame := append(killer(t, 1), "another"...) // bytes behind a PNG's end make it another input

	deaths := 0
	begin := func() {
		s.edge = startAt(t, program, "canvas-edge", "--config", config, "run")
	}
	begin()
	until(t, time.Minute, "a device that no longer dies", func() bool {
		select {
		case err := <-s.edge.done:
			deaths++
			if log := s.edge.log.String(); !strings.Contains(log, "SIGSEGV") || deaths > 8 {
				t.Fatalf("death %d: %v\n%s", deaths, err, s.edge.log.tail(30))
			}
			begin()
			return false
		default:
		}
		c, err := s.counts()
		if err == nil && c.quarantined == 2 {
			send(frame) // the camera sends it again and again
		}
		return err == nil && c.quarantined == 3
	})
	if deaths != 6 {
		t.Errorf("it died %d times, not twice of each of three inputs", deaths)
	}
	send(picture(t, 100, 160, 9))
	until(t, 2*time.Minute, "every good image and the camera's next frame", func() bool {
		got := pictured(s)
		for name := range want {
			if !got[name] {
				return false
			}
		}
		return got["a frame of gate"]
	})
	s.balance(20 * time.Second)

	var cases []crashguard.Case
	files, _ := filepath.Glob(filepath.Join(s.data, "attempts", "quarantine", "*.json"))
	for _, file := range files {
		var c crashguard.Case
		readJSON(t, file, &c)
		cases = append(cases, c)
		kept, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.File))
		if err != nil || len(kept) == 0 || c.Deaths != 2 || !strings.HasPrefix(c.Why, "SIGSEGV") {
			t.Errorf("%d bytes are kept, %v; %+v", len(kept), err, c)
		}
		if c.Source == "gate" && !bytes.Equal(kept, frame) {
			t.Error("the camera's frame is not the one that was sent")
		}
	}
	if len(cases) != 3 {
		t.Errorf("quarantined: %+v", cases)
	}
}

// TestAJobThatWasCrashedTwiceByAnInputFinishesWithoutIt runs canvas process three times over the same
// images, as a person does who sees it die.
func TestAJobThatWasCrashedTwiceByAnInputFinishesWithoutIt(t *testing.T) {
	t.Parallel()
	program := faulty(t, "canvas")
	dir := t.TempDir()
	images, out := filepath.Join(dir, "images"), filepath.Join(dir, "out")
	os.MkdirAll(images, 0o755)
	for i := range 3 {
		os.WriteFile(filepath.Join(images, fmt.Sprintf("%d.png", i)), picture(t, 96+i, 160, 9), 0o644)
	}
	os.WriteFile(filepath.Join(images, "1-decoder.png"), killer(t, 1), 0o644)
	for turn, want := range []int{2, 2, 3} {
		job := exec.Command(program, "process", "--out", out, "--images", images, "--detector", "opencv_hog_people")
		text, _ := job.CombinedOutput()
		if code := job.ProcessState.ExitCode(); code != want || want == 2 && !bytes.Contains(text, []byte("SIGSEGV")) {
			t.Fatalf("turn %d: exit code %d, not %d\n%.3000s", turn+1, code, want, text)
		}
	}
	var s struct {
		Cameras []struct {
			Frames int `json:"frames"`
		} `json:"cameras"`
		Delivery struct{ Committed, Received, Ledger, Lost, Duplicates, Quarantined int } `json:"delivery"`
	}
	readJSON(t, filepath.Join(out, "summary.json"), &s)
	if d := s.Delivery; d.Quarantined != 1 || d.Lost != 0 || d.Duplicates != 0 || d.Committed != d.Received+d.Ledger || len(s.Cameras) != 1 || s.Cameras[0].Frames != 3 {
		t.Errorf("summary %+v", s)
	}
}

func TestProgramsForUseDoNotCrashOnTheTestsPictures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for stage := 1; stage <= 2; stage++ {
		os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.png", stage)), killer(t, stage), 0o644)
	}
	if code, text := run(t, "canvas", "process", "--out", filepath.Join(dir, "out"), "--images", dir, "--detector", "opencv_hog_people"); code != 0 {
		t.Errorf("exit code %d\n%.2000s", code, text)
	}
}

// pictured are the names of the images that were looked at, as Kafka has them.
func pictured(s *site) map[string]bool {
	names := map[string]bool{}
	for _, l := range s.inKafka() {
		for _, i := range l.items {
			var d event.Detections
			if i.Type != "application/json" || json.Unmarshal(i.Data, &d) != nil {
				continue
			}
			for _, f := range d.Frames {
				names[f.Name] = true
				if d.Camera == "gate" && d.Width == 100 {
					names["a frame of gate"] = true
				}
			}
		}
	}
	return names
}
