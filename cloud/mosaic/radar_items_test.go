package mosaic

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

func TestItemsThatDoNotFitARadarScenePassByIt(t *testing.T) {
	m := radarManifest()
	_, _, s := foldRadar(t, radarSource{}, manifestItem(t, 10, m))
	mask := resultItem(t, plan(t), "2_0", 1, truth)
	late := rowsItem(t, 11, m.Radar.Blocks[1])
	late.Attrs.Tile = "0_3"
	other := amplitudeItem(t, 12, 0, 0)
	other.Attrs.Tile = "2_0"
	for name, i := range map[string]event.Item{"a mask": mask, "a block that there is not": late, "a tile of amplitude outside": other} {
		if _, err := s.Add(i); !errors.Is(err, errMisfit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	picture, err := NewScene("mast-1", "s1", filepath.Join(t.TempDir(), "work"))
	if err != nil {
		t.Fatal(err)
	}
	defer picture.Close()
	for _, i := range []event.Item{rowsItem(t, 1, m.Radar.Blocks[0]), manifestItem(t, 2, plan(t))} {
		if _, err := picture.Add(i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := picture.Add(rowsItem(t, 3, m.Radar.Blocks[0])); !errors.Is(err, errMisfit) {
		t.Errorf("rows of a radar in a picture: %v", err)
	}
	if !slices.Contains(picture.Missing(), "2_0") || picture.isRadar() {
		t.Error("a scene of a picture is taken for a radar's")
	}
}

func TestASkippedBlockIsNotWaitedFor(t *testing.T) {
	m := radarManifest()
	data, err := json.Marshal(sar.Targets{Skipped: "its deadline had passed"})
	if err != nil {
		t.Fatal(err)
	}
	items := radarItems(t)[2:]
	_, dir, s := foldRadar(t, radarSource{}, append(items, radarResult(0, "0_0", sar.Detector, sar.TargetsType, data))...)
	if o := blocksOf(t, dir)[0]; !s.Done() || o.State != "dead" || !strings.Contains(o.Why, "deadline") {
		t.Errorf("%+v", o)
	}
	if len(m.Tiles) != 3 {
		t.Error(len(m.Tiles))
	}
}

func TestARadarsItemSaysHowItWasMade(t *testing.T) {
	m := radarManifest()
	m.Radar.Simulated = true
	for _, seconds := range []float64{-60, 0, 60} { // 800 km above the equator, northward
		const radius, speed = 7.178e6, 7450
		sin, cos := math.Sincos(seconds * speed / radius)
		m.Radar.Orbit = append(m.Radar.Orbit, event.RadarVector{Time: noon.Add(time.Duration(seconds * 1e9)),
			Position: [3]float64{radius * cos, 0, radius * sin}, Velocity: [3]float64{-speed * sin, 0, speed * cos}})
	}
	items := append(radarItems(t)[:6], manifestItem(t, 101, m))
	p, dir, _ := foldRadar(t, radarSource{}, items...)
	if !p.Radar.Placed || p.Radar.NotPlaced != "" {
		t.Errorf("%+v", p.Radar)
	}
	var item struct {
		Geometry   *geometry
		BBox       []float64
		Extensions []string `json:"stac_extensions"`
		Properties map[string]any
		Assets     map[string]struct {
			Href  string
			Code  string `json:"proj:code"`
			Shape []int  `json:"proj:shape"`
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "item.json"))
	if err == nil {
		err = json.Unmarshal(data, &item)
	}
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"sar:instrument_mode": "SM", "sar:frequency_band": "C", "sar:center_frequency": 5.3, "sar:product_type": "SLC", "sar:observation_direction": "right",
		"sar:pixel_spacing_range": 4.6383, "sar:looks_range": 1.0, "sat:orbit_state": "ascending", "processing:level": "L1",
		"canvas:simulated": true, "platform": "radarsat-1", "start_datetime": noon.Add(9546539 * time.Nanosecond).Format(time.RFC3339Nano),
	} {
		if got := item.Properties[key]; got != want {
			t.Errorf("%s: %v, not %v", key, got, want)
		}
	}
	// 0.886 · 1.18 · c / (2 · 30.11 MHz)
	if got := item.Properties["sar:resolution_range"].(float64); math.Abs(got-5.2049) > 1e-3 {
		t.Errorf("resolution %v", got)
	}
	if !slices.Contains(item.Extensions, sarExtension) || !slices.Contains(item.Extensions, satExtension) || !strings.Contains(fmt.Sprint(item.Properties["processing:lineage"]), "simulated") {
		t.Errorf("%v %v", item.Extensions, item.Properties["processing:lineage"])
	}
	// It looks to the east from the Greenwich meridian, 5.27 m of ground a row.
	if item.Geometry == nil || len(item.BBox) != 4 || item.BBox[0] < 3 || item.BBox[2] > 8 || math.Abs(item.BBox[1]) > 1 {
		t.Errorf("%v %v", item.Geometry, item.BBox)
	}
	if got := item.Properties["sar:pixel_spacing_azimuth"].(float64); math.Abs(got-7450.0/1257*6378/7178) > 0.05 {
		t.Errorf("%v m a row", got)
	}
	if g, ok := item.Assets["geocoded"]; !ok || g.Code != "EPSG:32631" && g.Code != "EPSG:32632" || g.Shape[0] < 100 {
		t.Errorf("%+v", item.Assets)
	}
	if text := read(t, dir, "detections.geojson"); !strings.Contains(text, `"Point"`) {
		t.Error("targets have no place", text)
	}
	for _, a := range item.Assets {
		if _, err := os.Stat(filepath.Join(dir, a.Href)); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is no %s", a.Href)
		}
	}
	m.Radar.Polarisation, m.Radar.LookSide = "", "" // then the orbit is of no use
	p, dir, _ = foldRadar(t, radarSource{}, append(radarItems(t)[:6], manifestItem(t, 101, m))...)
	if text := read(t, dir, "item.json"); strings.Contains(text, sarExtension) || strings.Contains(text, "sar:polarizations") {
		t.Error("the extension is named without what it asks for")
	}
	if text := read(t, dir, "item.json"); p.Radar.Placed || !strings.Contains(p.Radar.NotPlaced, "look_side") || !strings.Contains(text, `"geometry": null`) || !strings.Contains(text, "look_side is missing") {
		t.Errorf("%+v", p.Radar)
	}
}
