package mosaic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"strings"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// hazed is what a network makes of a window of the test's scene: it sees a little more cloud towards the
// window's left, so that windows disagree where they meet.
func hazed(at raster.Window) vision.Mask {
	n := at.W * at.H
	m := vision.Mask{W: at.W, H: at.H, Class: make([]byte, n), Probabilities: [][]byte{make([]byte, n), make([]byte, n)}}
	for i := range n {
		x, y := i%at.W, i/at.W
		m.Class[i] = truth(at.X+x, at.Y+y)
		if m.Class[i] == vision.Shadow {
			m.Probabilities[0][i] = 200
			continue
		}
		p := 100 + 20*(at.W-x)/at.W + ((at.X+x)*7+(at.Y+y)*13)%30
		if m.Class[i] == vision.Cloud {
			p += 60
		}
		m.Probabilities[1][i] = byte(p)
	}
	return m
}

// hazedItem is the result of one tile, of a worker that looks at its windows.
func hazedItem(t testing.TB, m event.Manifest, name string, n int) event.Item {
	grid := m.Grid.Of(m.Width, m.Height)
	at, ok := grid.Find(name)
	if !ok {
		t.Fatalf("no tile %s", name)
	}
	mask := hazed(at.Window)
	if grid.Group > 0 {
		var places []raster.Window
		for row := range at.Span.Rows {
			for col := range at.Span.Cols {
				places = append(places, grid.Windows().Of(windows.Span{Col: at.Span.Col + col, Row: at.Span.Row + row, Cols: 1, Rows: 1}).Window)
			}
		}
		im := vision.Image{W: at.Held.W, H: at.Held.H, Bands: []string{"red"}, Planes: [][]float32{make([]float32, at.Held.W*at.Held.H)}}
		var err error
		mask, err = windows.Part{Grid: grid, Tile: at}.Segment(t.Context(), im, nil, 4, func(_ context.Context, in []vision.Image) (out []vision.Output, _ error) {
			for range in {
				out = append(out, vision.Output{Mask: hazed(places[0])})
				places = places[1:]
			}
			return out, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := vision.EncodeProbabilities(mask, png.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	i := itemOf(n, event.Result, "s1/"+name, "image/png", data, event.Attrs{Scene: "s1", Tile: name, Model: "six", ModelVersion: "1"})
	i.Epoch, i.Seq = "", 0
	return i
}

// hazedMask is the mask of the test's scene cut in a way, all of it sent.
func hazedMask(t *testing.T, grid raster.Grid) []byte {
	t.Helper()
	m := planOf(t, grid)
	s := newScene(t)
	for i := range m.Tiles {
		m.Tiles[i].Decision, m.Tiles[i].Reason = event.TileSent, ""
		fold(t, s, hazedItem(t, m, m.Tiles[i].Tile, i))
	}
	fold(t, s, manifestItem(t, 1000, m))
	if !s.Done() {
		t.Fatalf("%v: the scene is not done: %v", grid, s.Missing())
	}
	mask := blended(t, s)
	counted := 0
	for name, tile := range s.tiles {
		if tile.state != result {
			t.Errorf("tile %s: %s", name, tile.reason)
		}
		for _, n := range tile.counts {
			counted += int(n)
		}
	}
	if counted != grid.Width*grid.Height {
		t.Errorf("%v: tiles count %d pixels", grid, counted)
	}
	return mask
}

func TestTilesOfSeveralWindowsMakeTheMaskThatWindowsMake(t *testing.T) {
	for _, grid := range []raster.Grid{
		{Width: 300, Height: 180, Size: 64, Overlap: 8, Margin: 5},
		{Width: 300, Height: 180, Size: 64, Overlap: 8, Margin: 50}, // whose first windows show more than themselves
		{Width: 288, Height: 177, Size: 64, Overlap: 8, Margin: 5},  // the last ones begin just before the scene ends
		{Width: 40, Height: 30, Size: 64, Overlap: 8, Margin: 5},
	} {
		want := hazedMask(t, grid)
		for _, group := range []int{1, 2, 3, 4, 64} {
			grid.Group = group
			got := hazedMask(t, grid)
			off := 0
			for i := range want {
				if got[i] != want[i] {
					off++
				}
			}
			if group == 1 && off > 0 || off > len(want)/500 {
				t.Errorf("%+v: %d of %d pixels are of another class", grid, off, len(want))
			}
		}
	}
}

func TestADroppedTileOfSeveralWindowsLeavesItsCoreUnknown(t *testing.T) {
	grid := raster.Grid{Width: 300, Height: 180, Size: 64, Overlap: 8, Margin: 5, Group: 2}
	m := planOf(t, grid) // drops 0_0 and 1_0
	s := newScene(t)
	for i, d := range m.Tiles {
		if d.Decision == event.TileSent {
			fold(t, s, hazedItem(t, m, d.Tile, i))
		}
	}
	fold(t, s, manifestItem(t, 1000, m))
	mask := blended(t, s)
	for at := range grid.Tiles() {
		dropped := at.Name() == "0_0" || at.Name() == "1_0"
		for y := at.Core.Y; y < at.Core.Y+at.Core.H; y++ {
			for x := at.Core.X; x < at.Core.X+at.Core.W; x++ {
				if c := mask[y*grid.Width+x]; (c == vision.NoData) != dropped {
					t.Fatalf("pixel %d, %d of tile %s is %d", x, y, at.Name(), c)
				}
			}
		}
	}
}

func TestAResultOfAnotherSizeThanItsTileHoldsIsDead(t *testing.T) {
	grid := raster.Grid{Width: 300, Height: 180, Size: 64, Overlap: 8, Margin: 5, Group: 1}
	m := planOf(t, grid)
	s := newScene(t)
	earlier := planOf(t, grid.Windows())
	fold(t, s, manifestItem(t, 1000, m), resultItem(t, earlier, "2_0", 1, truth), resultItem(t, earlier, "2_1", 2, truth))
	if got := s.tiles["2_0"]; got.state != dead || !strings.Contains(got.reason, "64 x 59") {
		t.Errorf("a window with its mirrored border: %+v", got)
	}
	if got := s.tiles["2_1"]; got.state != result {
		t.Errorf("a window inside the scene: %+v", got)
	}
}

func TestManifestsThatSayHowTilesAreGroupedAreCheckedAgainstIt(t *testing.T) {
	m := planOf(t, raster.Grid{Width: 300, Height: 180, Size: 64, Overlap: 8, Margin: 5, Group: 2})
	for name, change := range map[string]func(g *event.SceneGrid){
		"size":  func(g *event.SceneGrid) { g.Size = 64 },
		"cols":  func(g *event.SceneGrid) { g.Cols++ },
		"group": func(g *event.SceneGrid) { g.Group = 0 },
		"many":  func(g *event.SceneGrid) { g.Group = 65 },
		"none":  func(g *event.SceneGrid) { g.Window = 0 },
		"large": func(g *event.SceneGrid) { g.Window = 5000 },
		"wide":  func(g *event.SceneGrid) { g.Overlap = 40 },
	} {
		other := m
		change(&other.Grid)
		if err := other.CheckPlan(); !errors.Is(err, event.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What a cloud reads that knows no groups: it refuses tiles of no size.
	data, err := json.Marshal(m)
	if err != nil || !bytes.Contains(data, []byte(`"size":0,"overlap":8,"margin":5,"cols":3,"rows":2,"window":64,"group":2`)) {
		t.Errorf("%v: %s", err, data)
	}
}
