package raster_test

import (
	"math"
	"testing"

	"github.com/airbusgeo/godal"

	"cloudcanvas/shared/raster"
)

// system is a reference system by its PROJ or EPSG name, with a raster's corner and pixel.
func system(t *testing.T, name string, x, y, dx, dy float64) raster.Georef {
	t.Helper()
	godal.RegisterInternalDrivers()
	s, err := godal.NewSpatialRef(name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wkt, err := s.WKT()
	if err != nil {
		t.Fatal(err)
	}
	return raster.Georef{WKT: wkt, Transform: [6]float64{x, dx, 0, y, 0, dy}}
}

func degrees(t *testing.T, west, north, pixel float64) raster.Georef {
	return system(t, "EPSG:4326", west, north, pixel, -pixel)
}

// TestOutlinesLieOnTheGlobe holds outlines of awkward places to what they must be. That they are
// valid is GEOS's word, within Outline; here are their number, bounds and area.
func TestOutlinesLieOnTheGlobe(t *testing.T) {
	const disc = "+proj=geos +sweep=x +lon_0=-75 +h=35786023 +ellps=GRS80 +units=m +no_defs"
	const sinusoidal = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs"
	const modis = 1111950.519667
	for name, c := range map[string]struct {
		g        raster.Georef
		w        raster.Window
		polygons int
		bounds   [4]float64
	}{
		"at the 180th meridian":        {degrees(t, 177, -10, .01), raster.Window{W: 300, H: 200}, 1, [4]float64{177, -12, 180, -10}},
		"over the 180th meridian":      {degrees(t, 179, -10, .01), raster.Window{W: 200, H: 200}, 2, [4]float64{179, -12, -179, -10}},
		"longitudes of 0 to 360":       {degrees(t, 280, -16.5, .001), raster.Window{W: 100, H: 100}, 1, [4]float64{-80, -16.6, -79.9, -16.5}},
		"the whole globe":              {degrees(t, -180, 90, 1), raster.Window{W: 360, H: 180}, 1, [4]float64{-180, -90, 180, 90}},
		"the whole globe from 0":       {degrees(t, 0, 90, 1), raster.Window{W: 360, H: 180}, 1, [4]float64{-180, -90, 180, 90}},
		"Mercator to its edge":         {system(t, "EPSG:3857", 20037508.342789244-300000, -1000000, 1000, -1000), raster.Window{W: 300, H: 200}, 1, [4]float64{177.305, -10.7167, 180, -8.9466}},
		"the north pole":               {system(t, "EPSG:3413", -25600, 25600, 100, -100), raster.Window{W: 512, H: 512}, 1, [4]float64{-180, 89.67, 180, 90}},
		"a MODIS tile":                 {system(t, sinusoidal, -20015109.354+13*modis, 10007554.677-8*modis, modis/512, -modis/512), raster.Window{W: 512, H: 512}, 1, [4]float64{-50.77, 0, -40, 10}},
		"a MODIS tile past the edge":   {system(t, sinusoidal, -20015109.354+8*modis, 10007554.677-3*modis, modis/512, -modis/512), raster.Window{W: 512, H: 512}, 1, [4]float64{-180, 50, -140, 60}},
		"a full disc of the Earth":     {system(t, disc, -5434894.885056, 5434894.885056, 2*5434894.885056/512, -2*5434894.885056/512), raster.Window{W: 512, H: 512}, 1, [4]float64{-156, -81, 6, 81}},
		"pixels of tenths of a micron": {degrees(t, 10, 50, 1e-12), raster.Window{W: 100, H: 100}, -1, [4]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			outline, err := raster.Outline(c.g, c.w)
			if err != nil {
				t.Fatal(err)
			}
			if c.polygons < 0 {
				return // no error is all that is asked
			}
			b := raster.OutlineBounds(outline)
			tolerance := 0.02
			if name == "a full disc of the Earth" || name == "a MODIS tile past the edge" {
				tolerance = 5 // their edges are found to 1/128 of their sides
			}
			for i := range b {
				if math.Abs(b[i]-c.bounds[i]) > tolerance {
					t.Errorf("bounds %v, not %v", b, c.bounds)
					break
				}
			}
			if len(outline) != c.polygons {
				t.Errorf("%d polygons, not %d: %v", len(outline), c.polygons, outline)
			}
		})
	}
}

func TestWhatHasNoPlaceHasNoOutline(t *testing.T) {
	far := system(t, "+proj=geos +lon_0=-75 +h=35786023 +ellps=GRS80 +units=m", 8e6, 8e6, 1000, -1000) // beside the disc
	outline, err := raster.Outline(far, raster.Window{W: 100, H: 100})
	if err != nil || len(outline) != 0 {
		t.Errorf("%v %v", outline, err)
	}
}

func TestReferenceSystemsAreSaidInWKT2(t *testing.T) {
	g := system(t, "+proj=sinu +lon_0=0 +R=6371007.181 +units=m", 0, 0, 1, -1)
	if got := g.WKT2(); len(got) < 8 || got[:8] != "PROJCRS[" {
		t.Errorf("%.40s", got)
	}
	if got := (raster.Georef{WKT: "nonsense"}).WKT2(); got != "" {
		t.Errorf("%q", got)
	}
}
