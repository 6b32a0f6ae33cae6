package windows

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestReflectMirrorsWithTheEdgeTwice(t *testing.T) {
	for _, c := range []struct {
		from, n, length int
		want            []int // in the scene
	}{
		{-2, 7, 3, []int{1, 0, 0, 1, 2, 2, 1}},
		{-1, 4, 1, []int{0, 0, 0, 0}},
		{2, 3, 4, []int{2, 3, 3}},
	} {
		at, span := Reflect(c.from, c.n, c.length)
		for i := range at {
			at[i] += span[0]
		}
		if !slices.Equal(at, c.want) {
			t.Errorf("%+v: got %v", c, at)
		}
	}
}

func TestCoresPartitionTheSceneAndLieInTheirWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := Grid{Width: rapid.IntRange(1, 700).Draw(t, "width"), Height: rapid.IntRange(1, 700).Draw(t, "height"), Size: rapid.IntRange(8, 256).Draw(t, "size")}
		g.Overlap = rapid.IntRange(0, g.Size/2).Draw(t, "overlap")
		g.Margin = rapid.IntRange(0, g.Size-g.Overlap-1).Draw(t, "margin")
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		x, y := 0, 0
		for tile := range g.Tiles() {
			if tile.Col == 0 {
				x = 0
			}
			if tile.Core.X != x || tile.Core.Y != y || tile.Core.W <= 0 || tile.Core.H <= 0 {
				t.Fatalf("tile %s: core %s after %d, %d", tile.Name(), tile.Core, x, y)
			}
			w, c := tile.Window, tile.Core
			if c.X < w.X || c.Y < w.Y || c.X+c.W > w.X+w.W || c.Y+c.H > w.Y+w.H {
				t.Fatalf("tile %s: core %s is not within %s", tile.Name(), c, w)
			}
			if x += c.W; x == g.Width {
				y += c.H
			}
			if found, ok := g.Find(tile.Name()); !ok || found != tile {
				t.Fatalf("%s is not found again", tile.Name())
			}
		}
		if x != g.Width || y != g.Height {
			t.Fatalf("cores end at %d, %d of %d x %d", x, y, g.Width, g.Height)
		}
	})
}

func TestTheDefaultGridIsThatOfUkisCSMask(t *testing.T) {
	for length, want := range map[int]int{256: 2, 512: 3, 2048: 11, 10980: 54} {
		g := Grid{Width: length, Height: length, Size: 256, Overlap: 52, Margin: 51}
		if g.Cols() != want {
			t.Errorf("%d pixels: %d windows, not %d", length, g.Cols(), want)
		}
	}
}
