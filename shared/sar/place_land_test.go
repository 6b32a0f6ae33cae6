package sar

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const island = `{"type":"FeatureCollection","features":[
 {"type":"Feature","properties":null,"geometry":{"type":"Polygon","coordinates":[
  [[10,50],[12,50],[12,52],[10,52],[10,50]],
  [[10.5,50.5],[11,50.5],[11,51],[10.5,51],[10.5,50.5]]]}},
 {"type":"Feature","geometry":null},
 {"type":"Feature","geometry":{"type":"GeometryCollection","geometries":[{"type":"MultiPolygon","coordinates":[
  [[[179,-17],[180,-17],[180,-16],[179,-16],[179,-17]]],
  [[[-180,-17,5],[-179,-17,5],[-179,-16,5],[-180,-16,5],[-180,-17,5]]]]}]}}]}`

func TestLandIsWithinItsPolygons(t *testing.T) {
	land, err := ParseLand([]byte(island))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		name     string
		lat, lon float64
		within   bool
	}{
		{"on the island", 50.2, 10.2, true},
		{"in the lake on it", 50.7, 10.7, false},
		{"after a whole turn", 50.2, 370.2, true},
		{"beside it", 50.2, 12.1, false},
		{"north of it", 52.1, 11, false},
		{"west of the 180th meridian", -16.5, 179.5, true},
		{"east of the 180th meridian", -16.5, -179.5, true},
		{"east of it, counted on", -16.5, 180.5, true},
		{"beyond", -16.5, -178.5, false},
	} {
		if got := land.Within(at.lat, at.lon); got != at.within {
			t.Errorf("%s (%v, %v): %v", at.name, at.lat, at.lon, got)
		}
	}
	if (*Land)(nil).Within(50.2, 10.2) {
		t.Error("no land is everywhere")
	}
}

func TestLandThatIsNoneIsRefused(t *testing.T) {
	for says, text := range map[string]string{
		"is no GeoJSON":            `{"type":`,
		"is none of":               `{"type":"LineString","coordinates":[[0,0],[1,1]]}`,
		"has no polygon":           `{"type":"FeatureCollection","features":[]}`,
		"at least 4":               `{"type":"Polygon","coordinates":[[[0,0],[1,1],[0,0]]]}`,
		"end where it begins":      `{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[2,0]]]}`,
		"is no longitude":          `{"type":"Polygon","coordinates":[[[491000,5458000],[1,1],[1,0],[491000,5458000]]]}`,
		"[1] is no longitude":      `{"type":"Polygon","coordinates":[[[0,0],[1],[1,0],[0,0]]]}`,
		"more than 8 deep":         strings.Repeat(`{"type":"GeometryCollection","geometries":[`, 10) + strings.Repeat("]}", 10),
		"a Polygon's coordinates:": `{"type":"Polygon","coordinates":[[["a"]]]}`,
	} {
		if _, err := ParseLand([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	path := filepath.Join(t.TempDir(), "land.geojson")
	if _, err := ReadLand(path); err == nil {
		t.Error("a file that is not there is land")
	}
	if err := os.WriteFile(path, []byte(island), 0o600); err != nil {
		t.Fatal(err)
	}
	if land, err := ReadLand(path); err != nil || !land.Within(50.2, 10.2) {
		t.Error(err)
	}
}

func FuzzLand(f *testing.F) {
	f.Add([]byte(island), 50.0, 10.0)
	f.Fuzz(func(t *testing.T, data []byte, lat, lon float64) {
		if land, err := ParseLand(data); err == nil {
			land.Within(lat, lon)
		}
	})
}
