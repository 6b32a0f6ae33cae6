package integration

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

// TestADeviceThatIsSureSendsItsMaskInPlaceOfPixels lets the device's own network decide the same scene
// twice: all tiles as pixels, then masks wherever it is sure.
func TestADeviceThatIsSureSendsItsMaskInPlaceOfPixels(t *testing.T) {
	t.Parallel()
	models := filepath.Dir(asset(t, "models/cloud_rgbiswir_256.onnx"))
	f := startFleet(t)
	type line struct {
		Decision, Reason, State, Model string
		Bytes                          int
	}
	seen := map[string][]line{}
	for name, unsure := range map[string]float64{"pixels": 0, "masks": 1} {
		f.device(t, name, fmt.Sprintf(`
scenes: [{name: %s, path: %q, cloud_model: cloud_rgbiswir_256}]
screen: {scenes: {unsure: %g}}
models: {folders: [%q]}
`, name, sample(t, "sentinel2.tif"), unsure, models))
		until(t, 2*time.Minute, "the product of "+name, func() bool { return there(f.products, name+"/item.json") })
		var lines []line
		readJSON(t, f.products+"/"+name+"/tiles.json", &lines)
		seen[name] = lines
	}
	bytes := map[string]int{}
	for name, lines := range seen {
		for _, l := range lines {
			bytes[name] += l.Bytes
			if l.Decision != event.TileSent || l.State != "result" || (l.Reason == event.SentMask) != (name == "masks") {
				t.Errorf("%s: %+v", name, l)
			}
			if name == "masks" && l.Model != "cloud_rgbiswir_256 1" {
				t.Errorf("the mask is by %q", l.Model)
			}
		}
	}
	if len(seen["masks"]) == 0 || bytes["masks"]*20 > bytes["pixels"] {
		t.Errorf("masks of %d bytes, pixels of %d", bytes["masks"], bytes["pixels"])
	}
	t.Logf("%d tiles: %d bytes as pixels, %d as masks", len(seen["masks"]), bytes["pixels"], bytes["masks"])
}
