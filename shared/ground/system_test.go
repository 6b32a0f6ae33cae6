package ground

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var rgb = []string{"blue", "green", "red"}

func TestScenesOnOnePixelGridHaveOneSystem(t *testing.T) {
	at := func(x, y float64) (System, Pixel) {
		s, p, ok := Locate(32632, "", [6]float64{x, 30, 0, y, 0, -30}, rgb)
		if !ok {
			t.Fatalf("%v %v lies nowhere", x, y)
		}
		return s, p
	}
	first, a := at(399_975, 5_200_035) // between the pixels of 30 m, as Landsat's are
	for _, c := range []struct {
		x, y     float64
		col, row int64
		same     bool
	}{
		{399_975 + 30*100, 5_200_035 - 30*7, 100, 7, true},
		{399_975 - 30*20_000, 5_200_035, -20_000, 0, true},
		{399_975.4, 5_200_035.4, 0, 0, true}, // an eightieth of a pixel
		{399_978, 5_200_035, 0, 0, false},    // a tenth
		{399_990, 5_200_035, 0, 0, false},
	} {
		s, b := at(c.x, c.y)
		if s.Check() != nil || (s == first) != c.same || c.same && (b.Col-a.Col != c.col || b.Row-a.Row != c.row) {
			t.Errorf("%v %v: %q %v, the first is %q %v", c.x, c.y, s, b, first, a)
		}
	}
	for name, other := range map[string]func() (System, Pixel, bool){
		"another zone": func() (System, Pixel, bool) { return Locate(32633, "", [6]float64{0, 30, 0, 0, 0, -30}, rgb) },
		"other bands": func() (System, Pixel, bool) {
			return Locate(32632, "", [6]float64{0, 30, 0, 0, 0, -30}, []string{"blue", "red", "green"})
		},
		"another pixel": func() (System, Pixel, bool) { return Locate(32632, "", [6]float64{0, 10, 0, 0, 0, -10}, rgb) },
		"no code": func() (System, Pixel, bool) {
			return Locate(0, "PROJCS[…]", [6]float64{0, 30, 0, 0, 0, -30}, rgb)
		},
	} {
		s, _, ok := other()
		if !ok || s == first || s.Check() != nil || s.Bands() != 3 || s.Shared() != (name != "no code") {
			t.Errorf("%s: %v %q", name, ok, s)
		}
	}
}

func TestWhatLiesNowhereHasNoSystem(t *testing.T) {
	for name, c := range map[string]struct {
		epsg      int
		transform [6]float64
		bands     []string
	}{
		"no reference system": {0, [6]float64{0, 30, 0, 0, 0, -30}, rgb},
		"no transform":        {32632, [6]float64{}, rgb},
		"far away":            {32632, [6]float64{1e18, 1e-3, 0, 0, 0, 1}, rgb},
		"no bands":            {32632, [6]float64{0, 30, 0, 0, 0, -30}, nil},
		"a band's long name":  {32632, [6]float64{0, 30, 0, 0, 0, -30}, []string{strings.Repeat("b", 65)}},
		"17 bands":            {32632, [6]float64{0, 30, 0, 0, 0, -30}, strings.Split(strings.Repeat("b,", 16)+"b", ",")},
	} {
		if s, _, ok := Locate(c.epsg, "", c.transform, c.bands); ok {
			t.Errorf("%s: %q", name, s)
		}
	}
}

// TestANeighbourOnTheGridIsFoundWhereItLies holds for turned and sheared grids, too.
func TestANeighbourOnTheGridIsFoundWhereItLies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := func(name string, low, high float64) float64 { return rapid.Float64Range(low, high).Draw(t, name) }
		g := [6]float64{f("x", -1e6, 1e6), f("a", 1, 60), f("b", -0.5, 0.5), f("y", -1e7, 1e7), f("c", -0.5, 0.5), -f("d", 1, 60)}
		dx, dy := rapid.IntRange(-5000, 5000).Draw(t, "dx"), rapid.IntRange(-5000, 5000).Draw(t, "dy")
		s, p, ok := Locate(32632, "", g, rgb)
		h := g
		h[0] += float64(dx)*g[1] + float64(dy)*g[2]
		h[3] += float64(dx)*g[4] + float64(dy)*g[5]
		o, q, ok2 := Locate(32632, "", h, rgb)
		if !ok || !ok2 {
			t.Fatal("it lies nowhere")
		}
		if o == s && (q.Col-p.Col != int64(dx) || q.Row-p.Row != int64(dy)) {
			t.Errorf("%v and %v are %d, %d apart", p, q, dx, dy)
		}
	})
}

func FuzzSystem(f *testing.F) {
	s, _, _ := Locate(32632, "", [6]float64{0, 30, 0, 0, 0, -30}, []string{"blue", "a b,c"})
	f.Add(string(s))
	f.Add("EPSG:1 0 0 0 0 0 0 ,")
	f.Fuzz(func(t *testing.T, text string) {
		if s := System(text); s.Check() == nil && (s.Bands() < 1 || s.Bands() > maxBands || len(s.ID()) != 32) {
			t.Errorf("%q has %d bands", s, s.Bands())
		}
	})
}
