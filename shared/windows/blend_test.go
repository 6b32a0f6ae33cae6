package windows

import (
	"bytes"
	"math"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/shared/vision"
)

// TestTilesThatDisagreeAreSteppedOverEvenly lays tiles of 0 and 1 by turns over a row: what they
// disagree by is spread over the whole overlap, none of it jumps, and beyond it each tile is itself.
func TestTilesThatDisagreeAreSteppedOverEvenly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(4, 64).Draw(t, "size")
		overlap := rapid.IntRange(1, size/2).Draw(t, "overlap")
		g := Grid{Width: rapid.IntRange(size, 5*size).Draw(t, "width"), Height: size, Size: size, Overlap: overlap,
			Margin: rapid.IntRange(0, size-overlap-1).Draw(t, "margin")}
		b, ramp := NewBlend(Window{W: g.Width, H: g.Height}, size), Ramps(size, overlap)
		for col := range g.Cols() {
			at, _ := g.At(col, 0)
			b.Add(at.Window, ramp, ramp, [][]byte{bytes.Repeat([]byte{byte(col % 2 * vision.ProbabilityOne)}, size*size)})
		}
		y := size - 1 - g.Margin // the last row that the first row of tiles knows
		before := -1.0
		for x := range g.Width {
			if b.weight[y*g.Width+x] == 0 {
				return // beyond the last tile, where the scene ends within half an overlap
			}
			p := float64(b.sum[0][y*g.Width+x] / b.weight[y*g.Width+x] / vision.ProbabilityOne)
			if step := math.Abs(p - before); x > 0 && step > 1/float64(overlap)+1e-5 {
				t.Fatalf("from column %d to %d the probability steps by %.4f, more than 1/%d", x-1, x, step, overlap)
			}
			before = p
			for col := range g.Cols() {
				at, _ := g.At(col, 0)
				alone := x >= at.Window.X+overlap && x < at.Window.X+size-overlap
				if alone && math.Abs(p-float64(col%2)) > 1e-5 {
					t.Fatalf("column %d is known to tile %d alone, which says %d: it has become %.4f", x, col, col%2, p)
				}
			}
		}
	})
}
