package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type radarSummary struct {
	failed
	Radar []struct {
		ID                     string
		Lines, Samples, Blocks int
		Targets                int
		Complete               bool
		Bytes                  struct{ Echoes, Uplinked int64 }
		FocusedRows            int `json:"focused_rows"`
	} `json:"radar"`
}

// TestEchoesBecomeAnImageAndBadOnesAreTold gives simulated echoes among bad ones: the good ones become an image with
// its ships, each bad one is told with the parameter, and the exit code says that something is incomplete.
func TestEchoesBecomeAnImageAndBadOnesAreTold(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, "in", name) }
	if code, out := run(t, "canvas", "simulate", "echoes", "--out", filepath.Join(dir, "in"), "--name", "bay", "--scene", "sea", "--ships", "3", "--lines", "1500", "--samples", "900", "--chirp-s", "1e-5"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	os.Remove(in("truth.json"))
	yaml, err := os.ReadFile(in("bay.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	bad := func(name, from, to string) {
		if !strings.Contains(string(yaml), from) {
			t.Fatalf("no %q in\n%s", from, yaml)
		}
		os.WriteFile(in(name+".yaml"), []byte(strings.Replace(string(yaml), from, to, 1)), 0o644)
	}
	bad("short", "lines: 1500", "lines: 1600")
	bad("aliased", "sampling_hz: 3.2317e+07", "sampling_hz: 3.2317e+06")
	bad("typo", "prf_hz:", "prf_khz:")
	out := filepath.Join(dir, "out")
	code, text := run(t, "canvas", "process", "--echoes", filepath.Join(dir, "in"), "--out", out)
	if code != 3 {
		t.Errorf("exit code %d, not 3\n%s", code, text)
	}
	var s radarSummary
	readJSON(t, filepath.Join(out, "summary.json"), &s)
	for input, want := range map[string]string{"short": "lines", "aliased": "sampling_hz", "typo": "prf_khz"} {
		if got := s.reason(input); !strings.Contains(got, want) {
			t.Errorf("%s: told %q, which does not say %q", input, got, want)
		}
	}
	if len(s.Radar) != 1 || s.reason("bay") != "" {
		t.Fatalf("%+v\n%s", s, text)
	}
	if r := s.Radar[0]; r.ID != "bay" || !r.Complete || r.Lines != 1500 || r.FocusedRows != 1500 || r.Targets < 3 || r.Bytes.Echoes != 1500*900*2 || r.Bytes.Uplinked < r.Bytes.Echoes/10 {
		t.Errorf("%+v\n%s", r, text)
	}
	for _, file := range []string{"slc.tif", "amplitude.tif", "quicklook.png", "detections.geojson", "item.json"} {
		if !there(out, "bay/"+file) {
			t.Errorf("%s is not there\n%s", file, text)
		}
	}
	if s.Delivery.Lost != 0 || s.Delivery.Duplicates != 0 || s.Delivery.Committed != s.Delivery.Received+s.Delivery.Ledger {
		t.Errorf("delivery %+v", s.Delivery)
	}
	config := write(t, filepath.Join(dir, "edge.yaml"), "edge: mast\ndata: /tmp/x\ncloud: {url: 'tcp://127.0.0.1:1'}\nechoes: [{path: %s}, {path: %s}]\n", in("bay.yaml"), in("short.yaml"))
	if code, out := run(t, "canvas-edge", "--config", config, "check"); code != 2 || !strings.Contains(out, "echoes.1.path") || strings.Contains(out, "echoes.0.path") {
		t.Errorf("check: exit code %d\n%s", code, out)
	}
	if code, out := run(t, "canvas", "process", "--echoes", in("aliased.yaml"), "--out", filepath.Join(dir, "none")); code != 1 || !strings.Contains(out, "sampling_hz") {
		t.Errorf("only a bad input: exit code %d\n%s", code, out)
	}
}
