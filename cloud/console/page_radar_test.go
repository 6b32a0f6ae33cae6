package console

import (
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// putRadar sends an acquisition of raw radar echoes over the equator, its results and its product.
func (w *world) putRadar(id string) {
	w.Helper()
	at := w.start
	r := event.Radar{Lines: 700, Samples: 1100, Format: "iq8", Blocks: []event.RadarBlock{{Rows: 400}, {Index: 1, FirstRow: 400, Rows: 300}},
		CentroidHz: -6900, Ambiguity: -6, CarrierHz: 5.3e9, PRFHz: 1257, SamplingHz: 32.317e6, ChirpRateHzS: -0.72135e12, ChirpS: 41.74e-6,
		FirstRangeM: 988647, VelocityMS: 7062, SpeedOfLightMS: 299792458, StartTime: at, LookSide: "right"}
	for _, seconds := range []float64{-60, 60} {
		const radius, speed = 7.178e6, 7450
		sin, cos := math.Sincos(seconds * speed / radius)
		r.Orbit = append(r.Orbit, event.RadarVector{Time: at.Add(time.Duration(seconds * 1e9)), Position: [3]float64{radius * cos, 0, radius * sin}, Velocity: [3]float64{-speed * sin, 0, speed * cos}})
	}
	m := event.Manifest{ID: id, Width: r.Samples, Height: r.Lines, Bands: []string{"HH"}, DataType: event.RadarDataType, Grid: event.RadarGrid(2), FileBytes: 1 << 20, Captured: at,
		Screening: "none", Radar: &r, Tiles: []event.TileDecision{{Tile: "0_0", Decision: "sent", Bytes: 9000}, {Tile: "0_1", Decision: "sent", Bytes: 8000}}}
	w.putJSON(event.Scene, id, id, at, event.Attrs{Scene: id}, m)
	w.put(event.Frame, id, id+"/quicklook", at, event.Attrs{Scene: id}, "image/jpeg", jpegOf(w, 300, 200))
	// The rows rest in the object store, which this console has not: it does not want them.
	w.put(event.Result, id, id+"/0_0", at, event.Attrs{Scene: id, Tile: "0_0", Model: sar.Algorithm, ModelVersion: "1", DataRef: "results/x"}, sar.RowsType, nil)
	targets, err := sar.EncodeTargets(nil)
	if err != nil {
		w.Fatal(err)
	}
	w.put(event.Result, id, id+"/0_0", at, event.Attrs{Scene: id, Tile: "0_0", Model: sar.Detector, ModelVersion: "1"}, sar.TargetsType, targets)
	folder := filepath.Join(w.products, id)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		w.Fatal(err)
	}
	w.file(folder, "quicklook.png", object{})
	w.file(folder, "blocks.json", []object{
		{"block": 0, "tile": "0_0", "first_row": 0, "rows": 400, "decision": "sent", "state": "result", "model": "chirp-scaling 1", "by": "cloud", "targets": 3, "bytes": 9000},
		{"block": 1, "tile": "0_1", "first_row": 400, "rows": 300, "decision": "sent", "state": "dead", "why": "line 7 holds NaN", "bytes": 8000}})
	objects := 3
	w.putJSON(event.Product, id, id, at, event.Attrs{Scene: id}, index.Product{Kind: "scene", Name: id, Edge: w.edge, Folder: id, Complete: true,
		Files: []string{"blocks.json", "quicklook.png", "slc.tif"}, Missing: []string{}, Models: []string{"chirp-scaling 1"},
		Scene: &index.Figures{Width: 1100, Height: 700, Tiles: 2, Sent: 2, Results: 1, Dead: 1, SceneBytes: 1 << 20, UplinkedBytes: 17000, Objects: &objects},
		Radar: &index.Radar{Lines: 700, Samples: 1100, Blocks: 2, Focused: 1, CentroidHz: -6900, Ambiguity: -6, Targets: 3, Ships: 2, FocusedRows: 400, EmptyRows: 300, Simulated: true, Placed: true}})
}

func TestARadarImageIsShownAsOne(t *testing.T) {
	w := newWorld(t, nil)
	w.putRadar("bay")
	w.caughtUp()
	status, body := w.get("/scenes/mast-7/bay")
	if status != http.StatusOK {
		t.Fatal(status, body)
	}
	for _, text := range []string{"simulated: 700 lines of 1100 samples", "400 of 700 focused, 300 without data", "-6900.0 Hz, ambiguity -6", "3, 2 of them taken for ships",
		"rows 0 to 399: focused by chirp-scaling 1, 3 bright targets", "rows 400 to 699: is a dead letter: line 7 holds NaN", "quicklook.png", "by its orbit"} {
		if !strings.Contains(body, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	for _, text := range []string{"not judged", "searched for objects", "Every tile"} {
		if strings.Contains(body, text) {
			t.Errorf("the page says %q of a radar image", text)
		}
	}
	var one index.Scene
	w.json("/api/v1/scenes/mast-7/bay", &one)
	if one.Results != 1 || one.Product.Radar == nil || len(one.BBox) != 4 || one.BBox[0] < 3 || one.BBox[2] > 8 {
		t.Errorf("%+v", one)
	}
	if _, list := w.get("/scenes"); !strings.Contains(list, "1100 × 700 · radar") {
		t.Error("the list does not say that it is a radar's")
	}
}
