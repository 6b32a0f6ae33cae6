package raster

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// Grid lays square windows of Size pixels over a scene, one every Size-Overlap pixels, beginning
// Margin pixels outside its top-left corner. Windows reach over the scene's borders where need be;
// Scene.Read mirrors the scene there, so that each is full. Cores partition the scene: each pixel
// belongs to exactly one, and the border between two neighbours' cores runs through the middle of
// what they share. docs/decisions/0001-overlapping-windows.md says why.
type Grid struct{ Width, Height, Size, Overlap, Margin int }

// Tile is one place of a grid: Window is what is read, Core is the part that this tile answers for.
type Tile struct {
	Col, Row     int
	Window, Core Window
}

// Name is the tile's name within its scene: "<column>_<row>".
func (t Tile) Name() string { return strconv.Itoa(t.Col) + "_" + strconv.Itoa(t.Row) }

// Check says what is wrong with the grid, or nil.
func (g Grid) Check() error {
	switch {
	case g.Width <= 0 || g.Height <= 0:
		return fmt.Errorf("a grid needs a scene with pixels, not %d x %d", g.Width, g.Height)
	case g.Size <= 0:
		return fmt.Errorf("tile size %d: use a positive number of pixels, 256 for most models", g.Size)
	case g.Overlap < 0 || g.Overlap > g.Size/2:
		return fmt.Errorf("tile overlap %d: use 0 to %d, at most half the tile size", g.Overlap, g.Size/2)
	case g.Margin < 0 || g.Margin >= g.Size-g.Overlap:
		return fmt.Errorf("margin %d: use 0 to %d, less than from one tile to the next", g.Margin, g.Size-g.Overlap-1)
	}
	return nil
}

// Cols is the number of tiles in a row, 0 for a grid that Check refuses.
func (g Grid) Cols() int { return g.along(g.Width) }

// Rows is the number of tiles in a column, 0 for a grid that Check refuses.
func (g Grid) Rows() int { return g.along(g.Height) }

// Len is the number of tiles.
func (g Grid) Len() int { return g.Cols() * g.Rows() }

// along is how many windows have a core: those that begin half an overlap before the scene's end.
func (g Grid) along(length int) int {
	if g.Check() != nil {
		return 0
	}
	stride := g.Size - g.Overlap
	return max(1, (length+g.Margin-g.Overlap/2+stride-1)/stride)
}

// span is the i-th window along an axis of that length, and its core.
func (g Grid) span(i, length int) (from, core, coreSize int) {
	start := func(i int) int { return i*(g.Size-g.Overlap) - g.Margin }
	border := func(i int) int { // where the core of tile i begins
		switch {
		case i <= 0:
			return 0
		case i >= g.along(length):
			return length
		}
		return min(start(i)+g.Overlap/2, length)
	}
	core = border(i)
	return start(i), core, border(i+1) - core
}

// At is the tile in that column and row; false if the grid has none there.
func (g Grid) At(col, row int) (Tile, bool) {
	if col < 0 || row < 0 || col >= g.Cols() || row >= g.Rows() {
		return Tile{}, false
	}
	t := Tile{Col: col, Row: row, Window: Window{W: g.Size, H: g.Size}}
	t.Window.X, t.Core.X, t.Core.W = g.span(col, g.Width)
	t.Window.Y, t.Core.Y, t.Core.H = g.span(row, g.Height)
	return t, true
}

// Tiles gives the tiles row by row, as a scene is best read.
func (g Grid) Tiles() iter.Seq[Tile] {
	return func(yield func(Tile) bool) {
		for row := range g.Rows() {
			for col := range g.Cols() {
				if t, _ := g.At(col, row); !yield(t) {
					return
				}
			}
		}
	}
}

// Find is the tile of that name ("<column>_<row>"); false if the grid has none.
func (g Grid) Find(name string) (Tile, bool) {
	a, b, ok := strings.Cut(name, "_")
	col, err1 := strconv.Atoi(a)
	row, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil {
		return Tile{}, false
	}
	t, ok := g.At(col, row)
	return t, ok && t.Name() == name
}

// Window is a rectangle of pixels, from the scene's top-left corner.
type Window struct{ X, Y, W, H int }

func (w Window) String() string { return fmt.Sprintf("%dx%d+%d+%d", w.W, w.H, w.X, w.Y) }

// In says whether the window has pixels and lies within a raster of that size.
func (w Window) In(width, height int) bool {
	return w.W > 0 && w.H > 0 && w.X >= 0 && w.Y >= 0 && w.X <= width-w.W && w.Y <= height-w.H
}

// Sub is w seen from the top-left corner of outer.
func (w Window) Sub(outer Window) Window {
	return Window{X: w.X - outer.X, Y: w.Y - outer.Y, W: w.W, H: w.H}
}
