package raster_test

import (
	"testing"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

func TestAQuicklookGathersWhatPasses(t *testing.T) {
	g := raster.Grid{Width: 1000, Height: 600, Size: 256}
	q := raster.NewQuicklook(g.Width, g.Height, 100)
	if q.W != 100 || q.H != 60 {
		t.Fatalf("%d x %d", q.W, q.H)
	}
	for tile := range g.Tiles() {
		if tile.Col == 0 {
			continue // dropped by the edge
		}
		n := tile.Window.W * tile.Window.H
		im := vision.Image{W: tile.Window.W, H: tile.Window.H, Bands: []string{"blue", "green", "red"}, Planes: [][]float32{make([]float32, n), make([]float32, n), make([]float32, n)}}
		for i := range n {
			x := tile.Window.X + i%tile.Window.W
			im.Planes[0][i], im.Planes[1][i], im.Planes[2][i] = float32(x)/1000, 0.2, 0.5
		}
		q.Add(tile, im)
	}
	im := q.Image()
	left, right := im.Pix[(30*100+30)*3], im.Pix[(30*100+95)*3]
	if im.W != 100 || im.H != 60 || im.Void[30*100+5] != 1 || im.Void[30*100+50] != 0 || left >= right || im.Pix[(30*100+5)*3] != 0 {
		t.Errorf("blue runs from %d to %d", left, right)
	}
	if empty := raster.NewQuicklook(10, 10, 100).Image(); len(empty.Pix) != 300 || empty.Void == nil {
		t.Error("an empty quicklook is not black")
	}
}
