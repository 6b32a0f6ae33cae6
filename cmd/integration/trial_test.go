package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/model/modeltest"
)

// TestHostileModelsAreRefusedByHand hands models that crash, hang or take all memory to the commands of
// both sides: each says why it refuses them, and none comes into the store.
func TestHostileModelsAreRefusedByHand(t *testing.T) {
	t.Setenv("CACHE_DIRECTORY", t.TempDir()) // what is remembered of trials is this test's own
	t.Setenv("CANVAS_MODELS_LAYOUT_TRIAL_TIME", "1s")
	t.Setenv("CANVAS_MODELS_LAYOUT_TRIAL_MEMORY_BYTES", "1000000000")
	store := t.TempDir()
	config := write(t, filepath.Join(t.TempDir(), "cloud.yaml"), "store: %q\n", "file://"+store)
	files := modeltest.SeenInTheFile("/etc/passwd")
	for name, c := range map[string]struct {
		onnx []byte
		says string
	}{
		"elsewhere": {files["a constant elsewhere"], "in a second file"},
		"turns":     {files["a loop of 2^62 turns"], "turns 4611686018427387904 times"},
		"endless":   {modeltest.SeenOnTrial()["a loop without an end"], " answer"},
		"greedy":    {modeltest.SeenOnTrial()["2 GB"], "more than 1000 MB of memory"},
	} {
		repository := t.TempDir()
		dir := modeltest.Write(t, repository, "stranger", "1", c.onnx)
		for range 2 { // the second time from memory
			code, out := run(t, "canvas-edge", "models", "verify", "--models", repository, "stranger")
			if code != 1 || !strings.Contains(out, c.says) || strings.Contains(out, "goroutine") {
				t.Errorf("verify %s: %d\n%s", name, code, out)
			}
		}
		code, out := run(t, "canvas-cloud", "--config", config, "models", "publish", dir)
		if code != 1 || !strings.Contains(out, c.says) || !strings.Contains(out, "not published") {
			t.Errorf("publish %s: %d\n%s", name, code, out)
		}
		if name != "endless" {
			continue
		}
		code, out = run(t, "canvas-edge", "doctor", "--models", repository)
		if !strings.Contains(out, "fail model stranger 1") || !strings.Contains(out, c.says) || code == 0 {
			t.Errorf("doctor %s: %d\n%s", name, code, out)
		}
	}
	repository := t.TempDir()
	dir := modeltest.Write(t, repository, "stranger", "1", modeltest.Honest())
	t.Setenv("CANVAS_MODELS_LAYOUT_TRIAL_TIME", "30s")
	if code, out := run(t, "canvas-edge", "models", "verify", "--models", repository, "stranger"); code != 0 {
		t.Errorf("an honest model: %d\n%s", code, out)
	}
	if code, out := run(t, "canvas-cloud", "--config", config, "models", "publish", dir); code != 0 || !strings.Contains(out, "version 2") {
		t.Errorf("an honest model: %d\n%s", code, out)
	}
}

// TestADeviceOutlivesTheModelsThatItIsOffered offers a device versions that hang or take all memory: it
// refuses each with the reason, goes on with what it runs, and stops when it is told to in the midst of a
// trial.
func TestADeviceOutlivesTheModelsThatItIsOffered(t *testing.T) {
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	f := newFleet(t, startBrokers(t))
	shipped := t.TempDir()
	modeltest.Write(t, shipped, "stranger", "1", modeltest.Honest())
	f.cloud(t, "bridge", "bridge-1")
	lines := func(trial string) string {
		return "models: {folders: [\"" + shipped + "\"], engine: onnxruntime-cpu, layout: {trial_time: " + trial + ", trial_memory_bytes: 1000000000}, fetch: {bytes_per_second: 0, trial: 1s}}\n" +
			"local: {embedded: \"127.0.0.1:0\"}\nframes: {enabled: true, detector: stranger}\n"
	}
	operate := func(args ...string) {
		t.Helper()
		if code, out := run(t, "canvas-cloud", append([]string{"--config", f.config, "models"}, args...)...); code != 0 {
			t.Fatalf("models %v: %d\n%s", args, code, out)
		}
	}
	device := f.device(t, "mast-1", lines("2s"))
	status := listen(t, f.brokers.mqtt, event.StatusTopic("mast-1"))
	says := func() (m event.EdgeModel) {
		var s event.Status
		if json.Unmarshal([]byte(status.payload(event.StatusTopic("mast-1"))), &s) == nil && s.Status == event.Online && len(s.Models) == 1 {
			m = s.Models[0]
		}
		return m
	}
	until(t, 2*time.Minute, "the device's models", func() bool { return says().Name == "stranger" })
	pid := device.cmd.Process.Pid
	for n, onnx := range [][]byte{modeltest.SeenInTheFile("/etc/passwd")["a constant elsewhere"], modeltest.SeenOnTrial()["a loop without an end"], modeltest.SeenOnTrial()["2 GB"]} {
		version := []string{"2", "3", "4"}[n]
		operate("publish", "--untried", modeltest.Write(t, t.TempDir(), "stranger", "1", onnx))
		operate("edges", "--edges", "mast-1", "--version", version, "stranger")
		until(t, 2*time.Minute, "the refusal of version "+version, func() bool { m := says(); return m.Refused == version && m.Version == "" && m.Reason != "" })
		if want := []string{"in a second file", " answer", "more than 1000 MB"}[n]; !strings.Contains(says().Reason, want) {
			t.Errorf("version %s: %q, want %q", version, says().Reason, want)
		}
		if syscall.Kill(pid, 0) != nil {
			t.Fatal("the device died")
		}
	}
	if err := device.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-device.done

	// A trial that is not over for long is no reason to go on after a stop.
	device = f.device(t, "mast-1", lines("1h"))
	until(t, 2*time.Minute, "the device again", func() bool { return says().Name == "stranger" })
	operate("publish", "--untried", modeltest.Write(t, t.TempDir(), "stranger", "1", append(modeltest.SeenOnTrial()["a loop without an end"], 0x2a, 0))) // other bytes, an empty name more
	operate("edges", "--edges", "mast-1", "--version", "5", "stranger")
	until(t, 2*time.Minute, "a trial under way", func() bool { return childOf(device.cmd.Process.Pid) })
	if err := device.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-device.done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not stop while a trial runs")
	}
}

// childOf says whether a process has a child.
func childOf(pid int) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range files {
		text, _ := os.ReadFile(path)
		if _, rest, ok := strings.Cut(string(text), ") "); ok {
			if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
				return true
			}
		}
	}
	return false
}
