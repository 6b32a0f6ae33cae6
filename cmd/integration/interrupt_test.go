package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAnInterruptedJobKeepsWhatCameAndSaysThatItIsNotAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	p := start(t, "canvas", "process", "--out", out, "--video", clip(t, filepath.Join(dir, "street.avi"), 500), "--detector", "opencv_hog_people")
	until(t, 2*time.Minute, "pictures are looked at", func() bool {
		logs, _ := filepath.Glob(filepath.Join(out, ".work-*", "kafka", "log", "partitions", "canvas.events-*", "0.dat"))
		return slices.ContainsFunc(logs, func(log string) bool { s, err := os.Stat(log); return err == nil && s.Size() > 0 })
	})
	p.signal(t, syscall.SIGINT)
	p.signal(t, syscall.SIGINT) // as timeout(1) does: one interrupt
	select {
	case <-p.done:
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not end")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code %d, not 3", code)
	}
	var s failed
	readJSON(t, filepath.Join(out, "summary.json"), &s)
	if !strings.Contains(s.reason("street"), "it was stopped after") || s.Delivery.Lost != 0 {
		t.Errorf("the summary says %+v", s)
	}
	if _, err := os.Stat(filepath.Join(out, "street", "detections.json")); err != nil {
		t.Error(err)
	}
}
