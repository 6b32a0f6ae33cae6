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
