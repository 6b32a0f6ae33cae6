package raster_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/shared/raster"

	"pgregory.net/rapid"
)

type collection struct {
	Type, Coordinates string
	Features          []struct {
		Properties struct {
			Class  string
			Value  int
			AreaM2 *float64 `json:"area_m2"`
			AreaPx float64  `json:"area_px"`
		}
		Geometry struct {
			Type        string
			Coordinates json.RawMessage
		}
	}
}

// outlines writes classes as a mask and reads back its outlines.
func outlines(t interface {
	Fatal(...any)
	Helper()
}, dir string, width, height int, g raster.Georef, classes []byte) collection {
	t.Helper()
	m, err := raster.CreateMask(filepath.Join(dir, "work.tif"), width, height, g)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Write(raster.Window{W: width, H: height}, classes); err != nil {
		t.Fatal(err)
	}
	mask, out := filepath.Join(dir, "mask.tif"), filepath.Join(dir, "mask.geojson")
	if err := m.Finish(mask); err != nil {
		t.Fatal(err)
	}
	if err := raster.WriteGeoJSON(mask, out, map[uint8]string{1: "cloud shadow", 2: "cloud"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var c collection
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err, string(data))
	}
	return c
}

func TestOutlinesCoverExactlyTheirClasses(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		w, h := rapid.IntRange(1, 12).Draw(r, "width"), rapid.IntRange(1, 12).Draw(r, "height")
		classes := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 254, 255}), w*h, w*h).Draw(r, "classes")
		c := outlines(r, dir, w, h, raster.Georef{}, classes)
		if c.Coordinates != "pixel" {
			r.Errorf("coordinates are %q", c.Coordinates)
		}
		got := make([]byte, w*h)
		area := map[int]float64{}
		for _, f := range c.Features {
			if f.Properties.AreaM2 != nil || f.Properties.Class != map[int]string{1: "cloud shadow", 2: "cloud"}[f.Properties.Value] {
				r.Errorf("%+v", f.Properties)
			}
			area[f.Properties.Value] += f.Properties.AreaPx
			var rings [][][2]float64
			if err := json.Unmarshal(f.Geometry.Coordinates, &rings); err != nil {
				r.Fatal(err)
			}
			for i := range got {
				if inside(rings, float64(i%w)+.5, float64(i/w)+.5) {
					got[i] = byte(f.Properties.Value)
				}
			}
		}
		count := map[int]float64{}
		for i, want := range classes {
			if want == 1 || want == 2 {
				count[int(want)]++
			} else {
				want = 0
			}
			if got[i] != want {
				r.Fatalf("pixel %d is %d, not %d", i, got[i], want)
			}
		}
		if area[1] != count[1] || area[2] != count[2] {
			r.Errorf("areas %v, not %v", area, count)
		}
	})
}

// inside is the even-odd rule over all rings.
func inside(rings [][][2]float64, x, y float64) bool {
	in := false
	for _, ring := range rings {
		for i := 1; i < len(ring); i++ {
			a, b := ring[i-1], ring[i]
			if (a[1] > y) != (b[1] > y) && x < a[0]+(y-a[1])/(b[1]-a[1])*(b[0]-a[0]) {
				in = !in
			}
		}
	}
	return in
}

func TestOutlinesLieOnTheEarthWithTheirArea(t *testing.T) {
	const w, h = 400, 300
	classes := make([]byte, w*h)
	for y := 50; y < 250; y++ {
		for x := 100; x < 300; x++ {
			classes[y*w+x] = 2
		}
	}
	for y := 100; y < 150; y++ {
		for x := 150; x < 200; x++ {
			classes[y*w+x] = 0 // a hole
		}
	}
	c := outlines(t, t.TempDir(), w, h, utm(t), classes)
	if len(c.Features) != 1 || c.Type != "FeatureCollection" || c.Coordinates != "" {
		t.Fatalf("%+v", c)
	}
	// On the central meridian UTM shortens by 0.9996 each way.
	want := (200*200 - 50*50) * 100 / (0.9996 * 0.9996)
	if got := *c.Features[0].Properties.AreaM2; math.Abs(got/want-1) > 1e-5 {
		t.Errorf("%.1f m², not %.1f", got, want)
	}
	var rings [][][2]float64
	if err := json.Unmarshal(c.Features[0].Geometry.Coordinates, &rings); err != nil {
		t.Fatal(err)
	}
	if len(rings) != 2 || area(rings[0]) <= 0 || area(rings[1]) >= 0 {
		t.Errorf("%d rings; the exterior runs counter-clockwise: %v", len(rings), area(rings[0]) > 0)
	}
	for _, p := range rings[0] {
		if p[0] < 9.0 || p[0] > 9.1 || p[1] < 48.6 || p[1] > 48.8 {
			t.Fatalf("%v lies elsewhere", p)
		}
	}
}

func area(ring [][2]float64) (sum float64) {
	for i := 1; i < len(ring); i++ {
		sum += ring[i-1][0]*ring[i][1] - ring[i][0]*ring[i-1][1]
	}
	return sum / 2
}

func TestOutlinesAreCutAtTheDateLine(t *testing.T) {
	g, err := raster.UTM(1, true, 165000, 1000000, 1000) // the zone's western edge lies on 180°
	if err != nil {
		t.Fatal(err)
	}
	g.Transform[0] -= 50000
	const w, h = 100, 40
	classes := make([]byte, w*h)
	for i := range classes {
		classes[i] = 2
	}
	c := outlines(t, t.TempDir(), w, h, g, classes)
	if len(c.Features) != 1 || c.Features[0].Geometry.Type != "MultiPolygon" {
		t.Fatalf("%+v", c.Features)
	}
	var polygons [][][][2]float64
	if err := json.Unmarshal(c.Features[0].Geometry.Coordinates, &polygons); err != nil {
		t.Fatal(err)
	}
	east, west := 0, 0
	for _, p := range polygons {
		for _, at := range p[0] {
			switch {
			case at[0] > 179 && at[0] <= 180:
				east++
			case at[0] < -179 && at[0] >= -180:
				west++
			default:
				t.Fatalf("longitude %v", at[0])
			}
		}
	}
	if len(polygons) != 2 || east == 0 || west == 0 {
		t.Errorf("%d polygons", len(polygons))
	}
	if got := *c.Features[0].Properties.AreaM2; math.Abs(got/(w*h*1e6)-1) > 0.002 {
		t.Errorf("%.0f m²", got)
	}
}

func TestAMaskWithoutCloudsHasNoOutlines(t *testing.T) {
	c := outlines(t, t.TempDir(), 5, 5, utm(t), make([]byte, 25))
	if c.Type != "FeatureCollection" || c.Features == nil || len(c.Features) != 0 {
		t.Errorf("%+v", c)
	}
	if err := raster.WriteGeoJSON(filepath.Join(t.TempDir(), "none.tif"), "x", nil); err == nil {
		t.Error("a mask that is not there is outlined")
	}
}
