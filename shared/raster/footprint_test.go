package raster_test

import (
	"errors"
	"math"
	"testing"

	"cloudcanvas/shared/raster"
)

func TestAFootprintIsAClosedRingInLonLat(t *testing.T) {
	g := utm(t)
	ring, err := raster.Footprint(g, raster.Window{X: 100, Y: 200, W: 1000, H: 500})
	if err != nil {
		t.Fatal(err)
	}
	if ring[0] != ring[len(ring)-1] || area(ring) <= 0 {
		t.Errorf("not closed, or clockwise: %v", ring)
	}
	b := raster.Bounds(ring)
	// 501000 E, 5398000 N in zone 32: 1 km east of 9° E.
	if math.Abs(b[0]-9.0136) > 1e-3 || math.Abs(b[3]-48.735) > 1e-2 || b[2] <= b[0] || b[3] <= b[1] {
		t.Errorf("bounds %v", b)
	}
	if _, err := raster.Footprint(raster.Georef{}, raster.Window{W: 1, H: 1}); !errors.Is(err, raster.ErrNoGeoref) {
		t.Errorf("%v", err)
	}
	if _, err := raster.Footprint(raster.Georef{WKT: "nonsense", Transform: g.Transform}, raster.Window{W: 1, H: 1}); err == nil {
		t.Error("nonsense has a footprint")
	}
}

func TestAFootprintOverTheDateLineHasWestBeforeEast(t *testing.T) {
	g, err := raster.UTM(1, true, 115000, 1000000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := raster.Footprint(g, raster.Window{W: 100, H: 40})
	if err != nil {
		t.Fatal(err)
	}
	if b := raster.Bounds(ring); b[0] < 179 || b[2] > -179 {
		t.Errorf("bounds %v", b)
	}
}

func TestAWindowsGeorefStartsAtItsCorner(t *testing.T) {
	g := utm(t).Window(raster.Window{X: 3, Y: 5, W: 10, H: 10})
	if x, y := g.At(0, 0); x != 500030 || y != 5399950 {
		t.Errorf("%v, %v", x, y)
	}
	if (raster.Georef{}).Window(raster.Window{X: 3, Y: 5, W: 10, H: 10}) != (raster.Georef{}) {
		t.Error("a picture without a place got one")
	}
}
