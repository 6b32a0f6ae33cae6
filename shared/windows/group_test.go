package windows

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/shared/vision"
)

// drawGrid draws a grid of groups over a small scene.
func drawGrid(t *rapid.T) Grid {
	g := Grid{Width: rapid.IntRange(1, 150).Draw(t, "width"), Height: rapid.IntRange(1, 150).Draw(t, "height"), Size: rapid.IntRange(4, 40).Draw(t, "size")}
	g.Overlap = 2 * rapid.IntRange(0, g.Size/4).Draw(t, "half overlap")
	g.Margin = rapid.IntRange(0, g.Size-g.Overlap-1).Draw(t, "margin")
	g.Group = rapid.IntRange(1, 6).Draw(t, "group")
	return g
}

func TestTilesOfSeveralWindowsPartitionThemAndTheScene(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGrid(t)
		all := g.Windows()
		windows := map[[2]int]bool{}
		covered := make([]int, g.Width*g.Height)
		for tile := range g.Tiles() {
			s := tile.Span
			if s.Cols < 1 || s.Rows < 1 || s.Cols > g.Group || s.Rows > g.Group || !g.Has(s) {
				t.Fatalf("tile %s has the windows %+v", tile.Name(), s)
			}
			// Nearly equal: none has two windows a side more than another.
			if first, _ := g.At(0, 0); s.Cols < first.Span.Cols || s.Cols > first.Span.Cols+1 || s.Rows < first.Span.Rows || s.Rows > first.Span.Rows+1 {
				t.Fatalf("tile %s has %d x %d windows, the first %d x %d", tile.Name(), s.Cols, s.Rows, first.Span.Cols, first.Span.Rows)
			}
			if !tile.Held.In(g.Width, g.Height) {
				t.Fatalf("tile %s holds %s", tile.Name(), tile.Held)
			}
			for y := tile.Core.Y; y < tile.Core.Y+tile.Core.H; y++ {
				for x := tile.Core.X; x < tile.Core.X+tile.Core.W; x++ {
					covered[y*g.Width+x]++
				}
			}
			shown := map[[2]int]bool{}
			for row := s.Row; row < s.Row+s.Rows; row++ {
				for col := s.Col; col < s.Col+s.Cols; col++ {
					one, ok := all.At(col, row)
					if !ok || windows[[2]int{col, row}] {
						t.Fatalf("window %d, %d of tile %s is not in the grid, or in another tile too", col, row, tile.Name())
					}
					windows[[2]int{col, row}] = true
					columns, x := Reflect(one.Window.X, g.Size, g.Width)
					rows, y := Reflect(one.Window.Y, g.Size, g.Height)
					for _, c := range columns {
						shown[[2]int{0, c + x[0]}] = true
					}
					for _, r := range rows {
						shown[[2]int{1, r + y[0]}] = true
					}
				}
			}
			if len(shown) != tile.Held.W+tile.Held.H {
				t.Fatalf("tile %s holds %s, its windows show %d columns and rows", tile.Name(), tile.Held, len(shown))
			}
			if found, ok := g.Find(tile.Name()); !ok || found != tile {
				t.Fatalf("%s is not found again", tile.Name())
			}
		}
		if len(windows) != all.Len() {
			t.Fatalf("tiles have %d of %d windows", len(windows), all.Len())
		}
		for i, n := range covered {
			if n != 1 {
				t.Fatalf("pixel %d lies in %d cores", i, n)
			}
		}
	})
}

func TestGroupsAreAsLargeAsATileAllows(t *testing.T) {
	for _, c := range []struct{ tile, size, overlap, want int }{
		{256, 256, 24, 1}, {512, 256, 24, 2}, {1024, 256, 24, 4}, {0, 256, 24, 1}, {100, 256, 24, 1}, {4096, 16, 0, MaxGroup}, {1024, 256, 256, 1}, {1024, 0, 0, 1}, {4096, 256, 24, 17},
	} {
		if got := GroupOf(c.tile, c.size, c.overlap); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// picture is a scene of two bands whose pixels all differ, some of them without data.
func picture(g Grid, random *rand.Rand, void float64) vision.Image {
	im := vision.Image{W: g.Width, H: g.Height, Bands: []string{"a", "b"}, Planes: [][]float32{nil, nil}}
	if void > 0 {
		im.Void = make([]byte, g.Width*g.Height)
	}
	for i := range g.Width * g.Height {
		im.Planes[0], im.Planes[1] = append(im.Planes[0], float32(i)), append(im.Planes[1], random.Float32())
		if random.Float64() < void {
			im.Void[i] = 1
		}
	}
	return im
}

// mirrored is a window of the scene as Scene.ReadMirrored gives it.
func mirrored(scene vision.Image, w Window) vision.Image {
	columns, x := Reflect(w.X, w.W, scene.W)
	rows, y := Reflect(w.Y, w.H, scene.H)
	for i := range columns {
		columns[i] += x[0]
	}
	for i := range rows {
		rows[i] += y[0]
	}
	return Spread(scene, rows, columns)
}

// guess is a network that answers by a pixel's value and by its place in the window, as networks do.
func guess(im vision.Image) vision.Mask {
	m := vision.Mask{W: im.W, H: im.H, Class: make([]byte, im.W*im.H), Probabilities: [][]byte{make([]byte, im.W*im.H), make([]byte, im.W*im.H)}}
	for i := range m.Class {
		a := byte(uint32(im.Planes[0][i])*7+uint32(i%im.W*3+i/im.W*5)) % 128
		m.Probabilities[0][i], m.Probabilities[1][i] = a, 126-a/2
		if im.Void != nil && im.Void[i] != 0 {
			m.Class[i], m.Probabilities[0][i], m.Probabilities[1][i] = vision.NoData, vision.NoData, vision.NoData
		}
	}
	return m
}

func TestATilesWindowsAreTheScenesAndItsMaskIsTheirBlend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGrid(t)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		scene := picture(g, random, rapid.SampledFrom([]float64{0, 0.02, 0.9}).Draw(t, "void"))
		tile, _ := g.At(rapid.IntRange(0, g.Cols()-1).Draw(t, "col"), rapid.IntRange(0, g.Rows()-1).Draw(t, "row"))
		seen := 0
		run := func(_ context.Context, in []vision.Image) (out []vision.Output, _ error) {
			for _, im := range in {
				found := false
				for row := range tile.Span.Rows {
					for col := range tile.Span.Cols {
						one := g.Windows().Of(Span{tile.Span.Col + col, tile.Span.Row + row, 1, 1})
						want := mirrored(scene, one.Window)
						found = found || slices.Equal(im.Planes[0], want.Planes[0]) && slices.Equal(im.Planes[1], want.Planes[1]) && bytes.Equal(im.Void, want.Void)
					}
				}
				if !found {
					t.Fatalf("a window of %d x %d is none of the tile's", im.W, im.H)
				}
				seen++
				out = append(out, vision.Output{Mask: guess(im)})
			}
			return out, nil
		}
		part := Part{Grid: g, Tile: tile}
		mask, err := part.Segment(t.Context(), mirrored(scene, tile.Held), nil, rapid.IntRange(1, 9).Draw(t, "batch"), run)
		if err != nil {
			t.Fatal(err)
		}
		if most := tile.Span.Cols * tile.Span.Rows; seen > most || scene.Void == nil && seen != most {
			t.Fatalf("%d of %d windows were seen", seen, most)
		}
		ramp := Ramps(g.Size, g.Overlap)
		for y := range tile.Held.H {
			for x := range tile.Held.W {
				var sum [2]float64
				var weight float64
				for row := range tile.Span.Rows {
					for col := range tile.Span.Cols {
						w := g.Windows().Of(Span{tile.Span.Col + col, tile.Span.Row + row, 1, 1}).Window
						wx, wy := tile.Held.X+x-w.X, tile.Held.Y+y-w.Y
						if wx < 0 || wy < 0 || wx >= w.W || wy >= w.H {
							continue
						}
						m := guess(mirrored(scene, w))
						if m.Class[wy*w.W+wx] == vision.NoData {
							continue
						}
						at := float64(ramp[wx] * ramp[wy])
						weight += at
						sum[0] += at * float64(m.Probabilities[0][wy*w.W+wx])
						sum[1] += at * float64(m.Probabilities[1][wy*w.W+wx])
					}
				}
				i := y*tile.Held.W + x
				if weight == 0 {
					if mask.Class[i] != vision.NoData || mask.Probabilities[0][i] != vision.NoData {
						t.Fatalf("pixel %d, %d is known to nobody and is %d", x, y, mask.Class[i])
					}
					continue
				}
				for c := range sum {
					if off := float64(mask.Probabilities[c][i]) - sum[c]/weight; off > 0.501 || off < -0.501 {
						t.Fatalf("pixel %d, %d, class %d: %d, the windows say %.3f", x, y, c+1, mask.Probabilities[c][i], sum[c]/weight)
					}
				}
			}
			if g.Width*g.Height > 2000 {
				break // a row of a large one is enough
			}
		}
	})
}

func TestTilesWeighWhatTheirWindowsDo(t *testing.T) {
	for _, c := range []struct{ size, overlap, n int }{{256, 24, 4}, {10, 4, 3}, {8, 0, 2}, {9, 4, 1}} {
		all := make([]float32, (c.n-1)*(c.size-c.overlap)+c.size)
		for i := range c.n {
			for k, w := range Ramps(c.size, c.overlap) {
				all[i*(c.size-c.overlap)+k] += w
			}
		}
		for i, w := range Ramps(len(all), c.overlap) {
			if d := all[i] - w; d > 1e-6 || d < -1e-6 {
				t.Errorf("%+v, %d: windows weigh %v together, the tile %v", c, i, all[i], w)
			}
		}
	}
}

func TestOnlyWindowsThatShowWhatIsWantedAreLookedAt(t *testing.T) {
	g := Grid{Width: 60, Height: 60, Size: 20, Overlap: 4, Margin: 3, Group: 4}
	tile, _ := g.At(0, 0)
	scene := picture(g, rand.New(rand.NewPCG(1, 1)), 0)
	wanted := make([]bool, tile.Held.W*tile.Held.H)
	wanted[5*tile.Held.W+5] = true
	seen := 0
	mask, err := Part{g, tile}.Segment(t.Context(), mirrored(scene, tile.Held), wanted, 8, func(_ context.Context, in []vision.Image) (out []vision.Output, _ error) {
		for _, im := range in {
			out = append(out, vision.Output{Mask: guess(im)})
		}
		seen += len(in)
		return out, nil
	})
	if err != nil || seen != 1 {
		t.Fatalf("%v: %d windows were seen", err, seen)
	}
	for i, c := range mask.Class {
		if (c == vision.NoData) == wanted[i] || (mask.Probabilities[1][i] == vision.NoData) == wanted[i] {
			t.Fatalf("pixel %d is %d", i, c)
		}
	}
}

func TestAnAnswerThatIsNoMaskOfTheWindowIsRefused(t *testing.T) {
	g := Grid{Width: 30, Height: 30, Size: 20, Overlap: 4, Margin: 3, Group: 2}
	tile, _ := g.At(0, 0)
	scene := mirrored(picture(g, rand.New(rand.NewPCG(1, 1)), 0), tile.Held)
	for name, out := range map[string][]vision.Output{
		"too few":      {{Mask: vision.Mask{W: 20, H: 20, Class: make([]byte, 400)}}},
		"another size": slices.Repeat([]vision.Output{{Mask: vision.Mask{W: 10, H: 20, Class: make([]byte, 200)}}}, 4),
		"cut":          slices.Repeat([]vision.Output{{Mask: vision.Mask{W: 20, H: 20, Class: make([]byte, 400), Probabilities: [][]byte{{1}}}}}, 4),
		"none":         slices.Repeat([]vision.Output{{}}, 4),
	} {
		_, err := Part{g, tile}.Segment(t.Context(), scene, nil, 4, func(context.Context, []vision.Image) ([]vision.Output, error) { return out, nil })
		if !errors.Is(err, ErrMask) {
			t.Errorf("%s: %v", name, err)
		}
	}
	failed := errors.New("failed")
	if _, err := (Part{g, tile}).Segment(t.Context(), scene, nil, 4, func(context.Context, []vision.Image) ([]vision.Output, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, err := (Part{g, tile}).Segment(t.Context(), vision.Image{W: 3, H: 3}, nil, 4, nil); err == nil {
		t.Error("a picture of another size is taken")
	}
}

func TestClassesWithoutProbabilitiesAreTakenAtTheirWord(t *testing.T) {
	g := Grid{Width: 30, Height: 30, Size: 20, Overlap: 4, Margin: 3, Group: 2}
	tile, _ := g.At(0, 0)
	scene := picture(g, rand.New(rand.NewPCG(1, 1)), 0.1)
	mask, err := Part{g, tile}.Segment(t.Context(), mirrored(scene, tile.Held), nil, 3, func(_ context.Context, in []vision.Image) (out []vision.Output, _ error) {
		for _, im := range in {
			m := vision.Mask{W: im.W, H: im.H, Class: make([]byte, im.W*im.H)}
			for i := range m.Class {
				m.Class[i] = byte(int(im.Planes[0][i]) % 4) // up to a class beyond cloud
			}
			out = append(out, vision.Output{Mask: m})
		}
		return out, nil
	})
	if err != nil || len(mask.Probabilities) != 3 {
		t.Fatalf("%v: %d planes", err, len(mask.Probabilities))
	}
	for i, c := range mask.Class {
		want := byte(i % 4)
		if scene.Void[i] != 0 {
			want = vision.NoData
		}
		if c != want {
			t.Fatalf("pixel %d is %d, not %d", i, c, want)
		}
	}
}
