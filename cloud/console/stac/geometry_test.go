package stac

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/console/request"
)

func rectangle(w, s, e, n float64) [][2]float64 {
	return [][2]float64{{w, s}, {e, s}, {e, n}, {w, n}, {w, s}}
}

func TestAGeometryTouchesWhatItSharesAPointWith(t *testing.T) {
	ring := rectangle(10, 10, 20, 20)
	across := rectangle(179, 0, 181, 2) // as footprints over the 180th meridian are
	for _, c := range []struct {
		name, shape string
		ring        [][2]float64
		want        bool
	}{
		{"a point within", `{"type":"Point","coordinates":[15,15]}`, ring, true},
		{"a point outside", `{"type":"Point","coordinates":[25,15,3]}`, ring, false},
		{"one of two points", `{"type":"MultiPoint","coordinates":[[25,15],[11,11]]}`, ring, true},
		{"a line through it", `{"type":"LineString","coordinates":[[0,0],[30,30]]}`, ring, true},
		{"a line beside it", `{"type":"LineString","coordinates":[[0,0],[30,0]]}`, ring, false},
		{"a polygon around it", `{"type":"Polygon","coordinates":[[[0,0],[30,0],[30,30],[0,30],[0,0]]]}`, ring, true},
		{"a polygon within it", `{"type":"Polygon","coordinates":[[[14,14],[15,14],[15,15],[14,14]]]}`, ring, true},
		{"a cross with no corner within", `{"type":"Polygon","coordinates":[[[0,14],[30,14],[30,16],[0,16],[0,14]]]}`, ring, true},
		{"a polygon in whose hole it lies", `{"type":"Polygon","coordinates":[[[0,0],[30,0],[30,30],[0,30],[0,0]],[[5,5],[25,5],[25,25],[5,25],[5,5]]]}`, ring, false},
		{"the second of two polygons", `{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[14,14],[15,14],[15,15],[14,14]]]]}`, ring, true},
		{"a collection", `{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[15,15]}]}`, ring, true},
		{"west of the 180th meridian", `{"type":"Point","coordinates":[179.5,1]}`, across, true},
		{"east of it", `{"type":"Point","coordinates":[-179.5,1]}`, across, true},
		{"far from it", `{"type":"Point","coordinates":[0,1]}`, across, false},
	} {
		s, err := parseShape([]byte(c.shape))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := s.touches(c.ring); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestRectanglesTouchWhenTheirBoundsOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(what string) (w, s, e, n float64) {
			at := func(key string) float64 { return float64(rapid.IntRange(-60, 60).Draw(t, what+key)) }
			w, s = at("w"), at("s")
			return w, s, w + float64(rapid.IntRange(1, 20).Draw(t, what+"x")) + 0.5, s + float64(rapid.IntRange(1, 20).Draw(t, what+"y")) + 0.5
		}
		w1, s1, e1, n1 := draw("a")
		w2, s2, e2, n2 := draw("b")
		shape, err := json.Marshal(object{"type": "Polygon", "coordinates": [][][2]float64{rectangle(w2, s2, e2, n2)}})
		if err != nil {
			t.Fatal(err)
		}
		set, err := parseShape(shape)
		if err != nil {
			t.Fatal(err)
		}
		want := w1 <= e2 && w2 <= e1 && s1 <= n2 && s2 <= n1
		if got := set.touches(rectangle(w1, s1, e1, n1)); got != want {
			t.Fatalf("touches %v, want %v", got, want)
		}
	})
}

func FuzzParseShape(f *testing.F) {
	for _, seed := range []string{`{"type":"Point","coordinates":[1,2]}`, `{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}`, `{"type":"Polygon","coordinates":[[]]}`,
		`{"type":"MultiLineString","coordinates":[[]]}`, `{"type":"GeometryCollection","geometries":[{}]}`, `{"type":"LineString","coordinates":[[1,1]]}`} {
		f.Add([]byte(seed))
	}
	ring := rectangle(10, 10, 20, 20)
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := parseShape(data); err == nil {
			s.touches(ring)
			s.bounds()
		}
	})
}

func FuzzSearchText(f *testing.F) {
	f.Add("1,2,3,4", "2026-05-01T00:00:00Z/..")
	f.Add("170,-80,160,80", "../..")
	f.Fuzz(func(t *testing.T, box, span string) {
		if b, err := request.Box(box); err == nil && b != nil && (len(b) != 4 || b[1] > b[3]) {
			t.Fatal(b)
		}
		if from, to, err := spanAsked(span); err == nil && !to.IsZero() && from.After(to) {
			t.Fatal(from, to)
		}
	})
}
