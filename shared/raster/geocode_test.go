package raster

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/sar"

	"github.com/airbusgeo/godal"
)

// flown is an acquisition from a circular orbit of a turning Earth, whose image's middle lies at a longitude;
// phase says how far it is on its way around the Earth.
func flown(t *testing.T, side string, phase, lon float64, lines, samples, offset int) *sar.Geometry {
	t.Helper()
	epoch := time.Date(2024, 5, 20, 10, 0, 0, 0, time.UTC)
	p := sar.Params{Lines: lines, Samples: samples, CarrierHz: 5.3e9, PRFHz: 1257, SamplingHz: 32.317e6,
		FirstSampleSlantRangeM: 988_647, StartTime: epoch, LookSide: side}
	at := func(node float64) *sar.Geometry {
		const radius, turn = 7.17e6, 7.292115e-5
		rate := math.Sqrt(3.986004418e14 / (radius * radius * radius))
		p.Orbit = nil
		for _, s := range []float64{-10, 0, 10, 20} {
			su, cu := math.Sincos(phase + rate*s)
			si, ci := math.Sincos(98.6 * math.Pi / 180)
			k, w := math.Cos(node-turn*s), math.Sin(node-turn*s)
			x, y, vx, vy := radius*cu, radius*su*ci, -radius*rate*su, radius*rate*cu*ci
			pos := [3]float64{k*x - w*y, w*x + k*y, radius * su * si}
			p.Orbit = append(p.Orbit, sar.StateVector{Time: epoch.Add(time.Duration(s * 1e9)), Position: pos,
				Velocity: [3]float64{k*vx - w*vy + turn*pos[1], w*vx + k*vy - turn*pos[0], radius * rate * cu * si}})
		}
		g, err := sar.NewGeometry(p, offset)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	_, first, err := at(0).Place(float64(lines)/2, float64(samples)/2, 0)
	if err != nil {
		t.Fatal(err)
	}
	return at((lon - first) * math.Pi / 180)
}

// bright is an amplitude image with bumps at places of it, and none beside.
func bright(t *testing.T, rows, cols int, none *float64, bumps [][2]float64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "amplitude.tif")
	w, err := Create(path, Layout{Width: cols, Height: rows, Bands: []string{"amplitude"}, DataType: "Float32", NoData: none})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	pixels := make([]float32, rows*cols)
	for i := range pixels {
		pixels[i] = 1
		for _, b := range bumps {
			y, x := float64(i/cols)-b[0], float64(i%cols)-b[1]
			pixels[i] += 1000 * float32(math.Exp(-(x*x+y*y)/(2*3*3)))
		}
	}
	if err := w.Write(Window{W: cols, H: rows}, pixels); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBrightPointsLandWhereTheyLie(t *testing.T) {
	const rows, cols = 700, 900
	for _, scene := range []struct {
		name, side     string
		phase, lon, px float64
		offset, epsg   int
	}{
		{name: "ascending, right", side: "right", phase: 0.8, lon: 11, px: 7, epsg: 32632},
		{name: "descending, left, squinted", side: "left", phase: 2.4, lon: -60, px: 7, offset: -5200, epsg: 32620},
		{name: "south", side: "right", phase: 4, lon: -70, px: 9, epsg: 32719},
		{name: "large pixels", side: "right", phase: 0.8, lon: 11, px: 31, epsg: 32632},
		{name: "180th meridian", side: "right", phase: 0.3, lon: 180, px: 7, epsg: 32601},
		{name: "near the pole", side: "right", phase: math.Pi / 2, lon: 30, px: 7, epsg: 32661},
	} {
		t.Run(scene.name, func(t *testing.T) {
			g := flown(t, scene.side, scene.phase, scene.lon, rows, cols, scene.offset)
			bumps := [][2]float64{{40, 40}, {350, 450}, {655.3, 61.7}, {100.5, 860}}
			src := bright(t, rows, cols, nil, bumps)
			dst := filepath.Join(t.TempDir(), "geocoded.tif")
			made, err := Geocode(t.Context(), src, dst, g, Map{Metres: scene.px, Metadata: map[string]string{"HEIGHT": "0"}})
			if err != nil {
				t.Fatal(err)
			}
			if zone := made.Georef.EPSG; zone != scene.epsg && !(scene.lon == 180 && zone == 32660) {
				t.Errorf("EPSG:%d", zone)
			}
			ds, err := godal.Open(dst, reportErrors)
			if err != nil {
				t.Fatal(err)
			}
			defer ds.Close(reportErrors)
			if layout := ds.Metadata("LAYOUT", godal.Domain("IMAGE_STRUCTURE")); layout != "COG" {
				t.Errorf("layout %q", layout)
			}
			if none, ok := ds.Bands()[0].NoData(); !ok || !math.IsNaN(none) || ds.Metadata("HEIGHT") != "0" {
				t.Error("no data", none, ok)
			}
			pixels := make([]float32, made.Width*made.Height)
			if err := ds.Read(0, 0, pixels, made.Width, made.Height, reportErrors); err != nil {
				t.Fatal(err)
			}
			to, err := made.Georef.lonlat()
			if err != nil {
				t.Fatal(err)
			}
			defer to.close()
			for _, b := range bumps {
				lat, lon, err := g.Place(b[0], b[1], 0)
				if err != nil {
					t.Fatal(err)
				}
				x, y := []float64{lon}, []float64{lat}
				if err := to.back.TransformEx(x, y, nil, nil); err != nil {
					t.Fatal(err)
				}
				wantX, wantY := (x[0]-made.Georef.Transform[0])/scene.px-.5, (made.Georef.Transform[3]-y[0])/scene.px-.5
				var sx, sy, sum float64
				reach := int(100/scene.px) + 1
				for j := int(wantY) - reach; j <= int(wantY)+reach; j++ {
					for i := int(wantX) - reach; i <= int(wantX)+reach; i++ {
						if v := float64(pixels[j*made.Width+i]) - 1; v > 0 {
							sx, sy, sum = sx+v*float64(i), sy+v*float64(j), sum+v
						}
					}
				}
				off := math.Hypot(sx/sum-wantX, sy/sum-wantY)
				t.Logf("%v: %.3f pixels off", b, off)
				if !(off < 0.1) {
					t.Errorf("%v is at %.2f, %.2f, not %.2f, %.2f", b, sx/sum, sy/sum, wantX, wantY)
				}
			}
			// What has data is what the footprint encloses, on the same map.
			inside, area := 0, 0.0
			for _, v := range pixels {
				if v == v {
					inside++
				}
			}
			ring, err := g.Footprint(0)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := Globe(ring)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range parts {
				area += ringArea(part[0])
			}
			if crosses := len(parts) > 1; crosses != (scene.lon == 180) {
				t.Errorf("the footprint has %d parts", len(parts))
			}
			// The map's scale is 0.9996 in UTM's middle and some 0.994 at a pole; a pixel that is half outside counts.
			rim := 4 * math.Sqrt(area) * scene.px / 2
			if ratio := float64(inside) * scene.px * scene.px / area; !(ratio > 0.985 && ratio < 1.002+rim/area) {
				t.Errorf("%d pixels have data, the footprint has %.0f m²: %.4f", inside, area, ratio)
			}
		})
	}
}

func TestGeocodeIsTheSameByWindowsOfAnySize(t *testing.T) {
	g := flown(t, "right", 0.8, 11, 700, 900, 0)
	none := -1.0
	src := bright(t, 700, 900, &none, [][2]float64{{300, 400}})
	ds, err := godal.Open(src, reportErrors)
	if err != nil {
		t.Fatal(err)
	}
	defer ds.Close(reportErrors)
	ring, err := rim(g, 0)
	if err != nil {
		t.Fatal(err)
	}
	georef, width, height, err := mapAround(ring, 7)
	if err != nil {
		t.Fatal(err)
	}
	to, err := georef.lonlat()
	if err != nil {
		t.Fatal(err)
	}
	defer to.close()
	c := geocoder{image: ds, at: g, georef: georef, to: to, none: -1}
	read := func(windows ...Window) []float32 {
		path := filepath.Join(t.TempDir(), "map.tif")
		w, err := Create(path, Layout{Width: width, Height: height, Bands: []string{"a"}, DataType: "Float32", NoData: &none})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for _, at := range windows {
			if err := c.fill(at, w); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		out, err := godal.Open(path, reportErrors)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close(reportErrors)
		pixels := make([]float32, width*height)
		if err := out.Read(0, 0, pixels, width, height, reportErrors); err != nil {
			t.Fatal(err)
		}
		return pixels
	}
	whole := read(Window{W: width, H: height})
	var parts []Window
	for y := 0; y < height; y += 96 {
		for x := 0; x < width; x += 160 {
			parts = append(parts, Window{X: x, Y: y, W: min(160, width-x), H: min(96, height-y)})
		}
	}
	cut, different, worst := read(parts...), 0, 0.0
	for i, v := range whole {
		if (v == -1) != (cut[i] == -1) {
			different++
		} else {
			worst = max(worst, math.Abs(float64(v-cut[i])))
		}
	}
	// Tie points lie at the same places, so that only the last digits differ.
	if different > 2 || worst > 0.05 {
		t.Errorf("%d pixels have data in one alone, others differ by up to %v of 1000", different, worst)
	}
}

func TestGeocodeRefusesWhatDoesNotFit(t *testing.T) {
	g := flown(t, "right", 0.8, 11, 70, 90, 0)
	src := bright(t, 60, 90, nil, nil)
	dst := filepath.Join(t.TempDir(), "out.tif")
	if _, err := Geocode(t.Context(), src, dst, g, Map{Metres: 7}); err == nil || !strings.Contains(err.Error(), "90 x 60 pixels, not one of the 90 x 70") {
		t.Error(err)
	}
	src = bright(t, 70, 90, nil, nil)
	for _, metres := range []float64{0, -1, math.NaN(), math.Inf(1), 1e-4} {
		if _, err := Geocode(t.Context(), src, dst, g, Map{Metres: metres}); err == nil {
			t.Error(metres, "m were taken")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Geocode(ctx, src, dst, g, Map{Metres: 7}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dst), "*")); len(left) != 0 {
		t.Error("it left", left)
	}
}

func TestGlobeRefusesWhatIsNoOutline(t *testing.T) {
	for _, ring := range [][][2]float64{nil, {{0, 0}, {1, 1}, {0, 0}}, {{0, 0}, {1, 1}, {1, 0}, {2, 0}}, {{0, 0}, {math.NaN(), 1}, {1, 0}, {0, 0}}, {{0, 91}, {1, 1}, {1, 0}, {0, 91}}} {
		if parts, err := Globe(ring); err == nil {
			t.Error(ring, parts)
		}
	}
}
