package raster_test

import (
	"testing"

	"cloudcanvas/shared/raster"

	"pgregory.net/rapid"
)

func grids(t *rapid.T) raster.Grid {
	size := rapid.IntRange(1, 40).Draw(t, "size")
	return raster.Grid{
		Width: rapid.IntRange(1, 150).Draw(t, "width"), Height: rapid.IntRange(1, 150).Draw(t, "height"),
		Size: size, Overlap: rapid.IntRange(0, size-1).Draw(t, "overlap"),
	}
}

func TestCoresPartitionTheScene(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := grids(t)
		seen := make([]int, g.Width*g.Height)
		count := 0
		for tile := range g.Tiles() {
			count++
			c := tile.Core
			if c.W <= 0 || c.H <= 0 {
				t.Fatalf("%+v: empty core %v", g, tile)
			}
			for y := c.Y; y < c.Y+c.H; y++ {
				for x := c.X; x < c.X+c.W; x++ {
					seen[y*g.Width+x]++
				}
			}
		}
		if count != g.Len() {
			t.Fatalf("%+v: %d tiles, not %d", g, count, g.Len())
		}
		for i, n := range seen {
			if n != 1 {
				t.Fatalf("%+v: pixel %d,%d lies in %d cores", g, i%g.Width, i/g.Width, n)
			}
		}
	})
}

func TestWindowsAreFullWithinTheSceneAndHoldTheirCores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := grids(t)
		for tile := range g.Tiles() {
			w, c := tile.Window, tile.Core
			if !w.In(g.Width, g.Height) {
				t.Fatalf("%+v: window %v leaves the scene", g, w)
			}
			if w.W != min(g.Size, g.Width) || w.H != min(g.Size, g.Height) {
				t.Fatalf("%+v: window %v is not full", g, w)
			}
			if !c.Sub(w).In(w.W, w.H) {
				t.Fatalf("%+v: core %v leaves window %v", g, c, w)
			}
			if found, ok := g.Find(tile.Name()); !ok || found != tile {
				t.Fatalf("%+v: %s is found as %+v", g, tile.Name(), found)
			}
		}
	})
}

func TestFindRefusesNamesThatTheGridDoesNotHave(t *testing.T) {
	g := raster.Grid{Width: 600, Height: 300, Size: 256}
	for _, name := range []string{"", "_", "1", "3_0", "0_2", "-1_0", "01_0", "+1_0", "1_0_0", "a_b", "99999999999999999999_0"} {
		if tile, ok := g.Find(name); ok {
			t.Errorf("%q is found as %+v", name, tile)
		}
	}
	if g.Cols() != 3 || g.Rows() != 2 {
		t.Errorf("%d x %d tiles, not 3 x 2", g.Cols(), g.Rows())
	}
}

func TestGridsThatCannotBeLaidAreRefused(t *testing.T) {
	for _, g := range []raster.Grid{{}, {Width: 5, Height: 5}, {Width: 5, Height: 5, Size: 4, Overlap: 4}, {Width: 5, Height: 5, Size: 4, Overlap: -1}, {Height: 5, Size: 4}} {
		if g.Check() == nil || g.Len() != 0 {
			t.Errorf("%+v is accepted", g)
		}
		for range g.Tiles() {
			t.Errorf("%+v has tiles", g)
		}
	}
}
