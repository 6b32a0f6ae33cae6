package windows_test

import (
	"testing"

	"cloudcanvas/shared/windows"
)

func TestFindRefusesNamesThatTheGridDoesNotHave(t *testing.T) {
	g := windows.Grid{Width: 600, Height: 300, Size: 256}
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
	for _, g := range []windows.Grid{{}, {Width: 5, Height: 5}, {Width: 5, Height: 5, Size: 4, Overlap: 4}, {Width: 5, Height: 5, Size: 4, Overlap: -1}, {Height: 5, Size: 4}} {
		if g.Check() == nil || g.Len() != 0 {
			t.Errorf("%+v is accepted", g)
		}
		for range g.Tiles() {
			t.Errorf("%+v has tiles", g)
		}
	}
}

func TestAGridIsKnownByHowManyTilesItHas(t *testing.T) {
	for width := 1; width < 200; width += 7 {
		for group := range 9 {
			g := windows.Grid{Width: width, Height: 90, Size: 20, Overlap: 4, Margin: 3, Group: group}
			again, ok := g.Windows().Grouped(g.Cols(), g.Rows())
			if !ok || again.Len() != g.Len() {
				t.Fatalf("%+v: %+v", g, again)
			}
			for tile := range g.Tiles() {
				if same, _ := again.Find(tile.Name()); same.Core != tile.Core {
					t.Fatalf("%+v: tile %s has the core %s, not %s", g, tile.Name(), same.Core, tile.Core)
				}
			}
			if _, ok := g.Windows().Grouped(g.Windows().Cols()+1, 1); ok {
				t.Fatalf("%+v: more tiles than windows", g)
			}
		}
	}
}
