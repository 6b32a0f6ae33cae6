package integration

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// TestObjectsInASceneAreFoundInTheCloudTileByTile lets a device send an aerial photograph in tiles and
// a worker look for vehicles in them.
func TestObjectsInASceneAreFoundInTheCloudTileByTile(t *testing.T) {
	t.Parallel()
	models := filepath.Dir(asset(t, "models/yolox_nano.onnx"))
	f := newFleet(t, startBrokers(t))
	f.sees(t, models, "models: [{want: detect, model: yolox_nano, white: 1}]")
	f.cloud(t, "bridge", "bridge-1")
	f.cloud(t, "worker", "worker-1")
	f.cloud(t, "mosaic", "mosaic-1")
	f.device(t, "mast", fmt.Sprintf(`
scenes: [{name: motorway, path: %q, want: detect, overlap: 52}]
`, asset(t, "images/small-vehicles1.jpeg")))
	at := filepath.Join(f.products, "motorway")
	until(t, 2*time.Minute, "the scene", func() bool { return there(f.products, "motorway/item.json") })
	var found []struct {
		CategoryID int        `json:"category_id"`
		BBox       [4]float64 `json:"bbox"`
		Score      float64    `json:"score"`
	}
	readJSON(t, filepath.Join(at, "detections.json"), &found)
	const car = 3
	cars := 0
	for _, d := range found {
		if d.CategoryID == car && d.Score >= 0.3 {
			cars++
		}
	}
	t.Logf("%d cars among %d boxes", cars, len(found))
	if cars < 20 {
		t.Errorf("%d cars, `canvas detect` finds about 30", cars)
	}
	if there(f.products, "motorway/mask.tif") {
		t.Error("a mask of objects")
	}
	var item map[string]json.RawMessage
	readJSON(t, filepath.Join(at, "item.json"), &item)
}
