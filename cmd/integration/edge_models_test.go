package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

// TestAnEdgeFetchesAModelTakesItUpAfterBeingKilledAndGoesBackFromABrokenOne lets a real device fetch
// versions of its camera's network over mosquitto.
func TestAnEdgeFetchesAModelTakesItUpAfterBeingKilledAndGoesBackFromABrokenOne(t *testing.T) {
	t.Parallel()
	weights := asset(t, "models/fastestdet.onnx")
	f := newFleet(t, startBrokers(t))
	library := filepath.Join(f.dir, "library", "fastestdet")
	for path, from := range map[string]string{"model.yaml": filepath.Join(root(t), "models", "fastestdet", "model.yaml"),
		"golden.json": filepath.Join(root(t), "models", "fastestdet", "golden.json"), "1/model.onnx": weights} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(library, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		copyFile(t, from, filepath.Join(library, path))
	}
	operate := func(args ...string) string {
		t.Helper()
		code, out := run(t, "canvas-cloud", append([]string{"--config", f.config, "models"}, args...)...)
		if code != 0 {
			t.Fatalf("models %v: %d\n%s", args, code, out)
		}
		return out
	}
	f.cloud(t, "bridge", "bridge-1")
	if out := operate("publish", library); !strings.Contains(out, "version 2") {
		t.Fatal(out)
	}
	lines := func(rate int) string {
		return fmt.Sprintf(`
models: {folders: [%q], engine: onnxruntime-cpu, fetch: {bytes_per_second: %d, trial: 1s}}
local: {embedded: "127.0.0.1:0"}
frames: {enabled: true, detector: fastestdet}
`, filepath.Dir(weights), rate)
	}
	device := f.device(t, "mast-1", lines(100_000))
	status := listen(t, f.brokers.mqtt, event.StatusTopic("mast-1"))
	says := func() (m event.EdgeModel) {
		var s event.Status
		if json.Unmarshal([]byte(status.payload(event.StatusTopic("mast-1"))), &s) == nil && s.Status == event.Online && len(s.Models) == 1 {
			m = s.Models[0]
		}
		return m
	}
	until(t, 2*time.Minute, "the device's models", func() bool { return says().Name == "fastestdet" })

	// The first version: the device is killed when it has some of it, and has more of it at once when
	// it is back.
	operate("edges", "--edges", "mast-*", "--version", "2", "fastestdet")
	until(t, 2*time.Minute, "some of the weights", func() bool { w := says().Want; return w != nil && w.File == "model.onnx" && w.Offset > 100_000 })
	device.kill(t)
	had := sizeOf(t, f.dir, "mast-1")
	device = f.device(t, "mast-1", lines(0))
	until(t, 2*time.Minute, "the second version at work", func() bool { m := says(); return m.Version == "2" && m.Trial || m.Version == "2" })
	if had < 100_000 {
		t.Errorf("%d bytes were there when it was killed", had)
	}
	until(t, 2*time.Minute, "a restart with it", func() bool { return strings.Contains(device.log.String(), "the agent restarts with other models") })

	// A version whose golden case fails is refused, with the reason, and the one that ran goes on.
	golden, err := os.ReadFile(filepath.Join(library, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g map[string]any
	decodeJSON(t, golden, &g)
	outputs := g["outputs"].([]any)
	values := outputs[0].(map[string]any)["values"].([]any)
	values[0] = 1000.0
	spoiled, _ := json.Marshal(g)
	if err := os.WriteFile(filepath.Join(library, "golden.json"), spoiled, 0o644); err != nil {
		t.Fatal(err)
	}
	operate("publish", "--untried", library)
	operate("edges", "--edges", "mast-1", "--version", "3", "fastestdet")
	until(t, 2*time.Minute, "the refusal", func() bool { m := says(); return m.Refused == "3" && m.Version == "2" })
	if m := says(); !strings.Contains(m.Reason, "golden") {
		t.Errorf("%+v", m)
	}
	if out := operate("edges"); !strings.Contains(out, "refused 3") || !strings.Contains(out, "mast-*") {
		t.Error(out)
	}
	// Back to what it came with.
	operate("edges", "--edges", "mast-1", "--version", "shipped", "fastestdet")
	until(t, 2*time.Minute, "what it came with", func() bool { m := says(); return m.Version == "" && m.Previous == "2" })
}

// sizeOf is how much of the weights has come.
func sizeOf(t *testing.T, dir, edge string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, edge, "models", ".fetch", "fastestdet@2", "fastestdet", "2", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
