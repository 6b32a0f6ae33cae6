package raster_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// Systems of no place on the Earth: a site's own grid, and Mars.
var nowhere = map[string]string{
	"site": `LOCAL_CS["site",UNIT["metre",1]]`,
	"mars": `GEOGCS["Mars",DATUM["Mars",SPHEROID["Mars",3396190,0]],PRIMEM["x",0],UNIT["degree",0.0174532925199433]]`,
}

func TestSystemsOfNoPlaceOnTheEarthStillGiveProducts(t *testing.T) {
	for name, wkt := range nowhere {
		g := raster.Georef{WKT: wkt, Transform: [6]float64{10, 1, 0, 10, 0, -1}}
		if err := g.Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if outline, err := raster.Outline(g, raster.Window{W: 8, H: 8}); err != nil || outline != nil {
			t.Errorf("%s: outline %v, %v", name, outline, err)
		}
		found, err := raster.Features(g, []vision.Box{{X: 1, Y: 1, W: 2, H: 2, Label: "car"}})
		if err != nil || len(found.Features) != 1 || found.Features[0].Geometry != nil || found.Features[0].Properties.Centre != nil || found.Features[0].Properties.Map[0] != [2]float64{11, 9} {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
		dir := t.TempDir()
		w, err := raster.CreateMask(filepath.Join(dir, "mask.tif"), 8, 8, g)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(raster.Window{W: 8, H: 8}, append(make([]byte, 60), 2, 2, 2, 2)); err != nil {
			t.Fatal(err)
		}
		if err := w.Finish(filepath.Join(dir, "mask-cog.tif")); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "mask.geojson")
		if err := raster.WriteGeoJSON(filepath.Join(dir, "mask-cog.tif"), out, map[uint8]string{2: "cloud"}); err != nil {
			t.Fatal(err)
		}
		if data, _ := os.ReadFile(out); !json.Valid(data) || !strings.Contains(string(data), `"coordinates":"pixel"`) || !strings.Contains(string(data), `"area_px":4`) {
			t.Errorf("%s: %s", name, data)
		}
	}
}

func TestPixelsOfMillimetresKeepTheirOutlines(t *testing.T) {
	g, err := raster.UTM(32, true, 600000, 5200000, 0.001)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := raster.Outline(g, raster.Window{W: 3, H: 3})
	if err != nil || len(ring) != 1 {
		t.Fatal(ring, err)
	}
	west, east := 180.0, -180.0
	for _, p := range ring[0][0] {
		west, east = min(west, p[0]), max(east, p[0])
	}
	if wide := (east - west) * 76_200; wide < 0.0029 || wide > 0.0032 { // metres of a degree at 46.9° N
		t.Errorf("3 mm are %v m wide", wide)
	}
}
