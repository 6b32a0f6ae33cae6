package raster

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airbusgeo/godal"
)

// toGround makes a file of three bands, which the caller places.
func toGround(t *testing.T, place func(*godal.Dataset) error) Info {
	t.Helper()
	started()
	path := filepath.Join(t.TempDir(), "x.tif")
	ds, err := godal.Create(godal.GTiff, path, 3, godal.UInt16, 200, 100, reportErrors)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"blue", "green", "red"} {
		ds.Bands()[i].SetDescription(name)
	}
	if err := place(ds); err != nil {
		t.Fatal(err)
	}
	if err := ds.Close(reportErrors); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Info()
}

func fact(i Info, what string) (found Fact) {
	for _, f := range i.Facts {
		if f.What == what {
			found = f
		}
	}
	return found
}

func TestGroundControlPointsPlaceAScene(t *testing.T) {
	system, err := godal.NewSpatialRefFromEPSG(4326, reportErrors)
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	for off, from := range map[float64]string{0: FromFile, 5: FromAssumed} {
		i := toGround(t, func(ds *godal.Dataset) error {
			var points []godal.GCP
			for _, p := range [][2]float64{{0, 0}, {200, 0}, {0, 100}, {200, 100}} {
				points = append(points, godal.GCP{DfGCPPixel: p[0], DfGCPLine: p[1], DfGCPX: 10 + p[0]*1e-3 + p[1]*1e-4, DfGCPY: 50 - p[1]*1e-3})
			}
			points[3].DfGCPX += 4 * off * 1e-3 // one of four takes a quarter of it
			return ds.SetGCPs(points, godal.GCPSpatialRef(system), reportErrors)
		})
		want := [6]float64{10, 1e-3, 1e-4, 50, 0, -1e-3}
		for k, v := range i.Georef.Transform {
			if off == 0 && math.Abs(v-want[k]) > 1e-9 {
				t.Errorf("transform %v, want %v", i.Georef.Transform, want)
			}
		}
		if f := fact(i, "place"); f.From != from || i.Georef.EPSG != 4326 || off > 0 && !strings.Contains(f.Value, "up to 4.8 pixels") {
			t.Errorf("off by %v: %+v, EPSG %d", off, f, i.Georef.EPSG)
		}
	}
}

func TestRPCsPlaceAScene(t *testing.T) {
	none := " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
	rpcs := map[string]string{
		"LINE_OFF": "49.5", "SAMP_OFF": "99.5", "LAT_OFF": "50", "LONG_OFF": "10", "HEIGHT_OFF": "120", "LINE_SCALE": "50", "SAMP_SCALE": "100", "LAT_SCALE": "0.05", "LONG_SCALE": "0.1", "HEIGHT_SCALE": "500",
		"LINE_NUM_COEFF": "0 0 -1" + none[2:], "LINE_DEN_COEFF": "1 0" + none, "SAMP_NUM_COEFF": "0 1" + none, "SAMP_DEN_COEFF": "1 0" + none,
	}
	i := toGround(t, func(ds *godal.Dataset) error {
		for k, v := range rpcs {
			if err := ds.SetMetadata(k, v, godal.Domain("RPC"), reportErrors); err != nil {
				return err
			}
		}
		return nil
	})
	want := [6]float64{9.9, 1e-3, 0, 50.05, 0, -1e-3}
	for k, v := range i.Georef.Transform {
		if math.Abs(v-want[k]) > 1e-9 {
			t.Fatalf("transform %v, want %v", i.Georef.Transform, want)
		}
	}
	if f := fact(i, "place"); f.From != FromAssumed || !strings.Contains(f.Value, "120 m") {
		t.Errorf("%+v", f)
	}
	for _, broken := range []map[string]string{{}, {"LINE_OFF": "x"}} {
		if _, ok := readRPC(broken); ok {
			t.Errorf("%v is read", broken)
		}
	}
}

func TestPointsOnOneLinePlaceNothing(t *testing.T) {
	for name, points := range map[string][]groundPoint{
		"on a line": {{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 2, 2, 2}}, "two": {{0, 0, 0, 0}, {1, 0, 1, 0}}, "one place": {{0, 0, 1, 1}, {1, 0, 1, 1}, {0, 1, 1, 1}},
		"no numbers": {{0, 0, 0, 0}, {1, 0, math.NaN(), 0}, {0, 1, 0, 1}}, "without end": {{0, 0, 0, 0}, {1, 0, math.Inf(1), 0}, {0, 1, 0, 1}},
	} {
		if at, _, ok := affine(points); ok {
			t.Errorf("%s: %v", name, at)
		}
	}
}
