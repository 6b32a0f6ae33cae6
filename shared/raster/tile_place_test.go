package raster

import (
	"testing"

	"cloudcanvas/shared/vision"
)

func TestATileSaysWhereItLiesAndWhereItsSceneEnds(t *testing.T) {
	im := vision.Image{W: 20, H: 10, Bands: []string{"blue"}, Planes: [][]float32{make([]float32, 200)}}
	g, err := UTM(32, true, 500_000, 5_000_000, 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		georef Georef
		inside Window
		ok     bool
	}{
		"a tile at a border":       {g, Window{X: 3, W: 17, H: 10}, true},
		"a tile of before":         {g, Window{}, false},
		"more than the tile has":   {g, Window{X: 3, W: 18, H: 10}, false},
		"nothing of it":            {g, Window{X: 3, W: 0, H: 10}, false},
		"a tile that lies nowhere": {Georef{}, Window{W: 20, H: 10}, false},
	} {
		data, err := EncodeTile(im, c.georef, Coding{Inside: c.inside})
		if err != nil {
			t.Fatal(err)
		}
		at, inside, ok, err := TilePlace(data)
		if err != nil || ok != c.ok || ok && (at.EPSG != 32632 || at.Transform != g.Transform || inside != c.inside) {
			t.Errorf("%s: %v %v %+v %v", name, ok, err, at, inside)
		}
	}
	if _, _, ok, err := TilePlace([]byte("GIF89a..")); ok || err == nil {
		t.Error("a GIF lies somewhere")
	}
}

func BenchmarkTilePlace(b *testing.B) {
	im := vision.Image{W: 256, H: 256, Bands: []string{"blue"}, Planes: [][]float32{make([]float32, 1<<16)}}
	g, err := UTM(32, true, 500_000, 5_000_000, 10)
	if err != nil {
		b.Fatal(err)
	}
	data, err := EncodeTile(im, g, Coding{Inside: Window{W: 256, H: 256}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("place", func(b *testing.B) {
		for b.Loop() {
			TilePlace(data)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			DecodeTile(data, 1<<20)
		}
	})
}
