package raster

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// Grid lays square tiles of Size pixels over a scene, neighbours sharing Overlap pixels. The last
// column and row are shifted inward, so that every window is full wherever the scene is at least
// Size pixels wide and high. Cores partition the scene: each pixel belongs to exactly one, and the
// border between two neighbours' cores runs through the middle of what they share.
type Grid struct{ Width, Height, Size, Overlap int }

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
	case g.Overlap < 0 || g.Overlap >= g.Size:
		return fmt.Errorf("tile overlap %d: use 0 to %d, less than the tile size", g.Overlap, g.Size-1)
	}
	return nil
}

// Cols is the number of tiles in a row, 0 for a grid that Check refuses.
func (g Grid) Cols() int { return g.along(g.Width) }

// Rows is the number of tiles in a column, 0 for a grid that Check refuses.
func (g Grid) Rows() int { return g.along(g.Height) }

// Len is the number of tiles.
func (g Grid) Len() int { return g.Cols() * g.Rows() }

func (g Grid) along(length int) int {
	if g.Check() != nil {
		return 0
	}
	if length <= g.Size {
		return 1
	}
	stride := g.Size - g.Overlap
	return 1 + (length-g.Size+stride-1)/stride
}

// span is the i-th window along an axis of that length, and its core.
func (g Grid) span(i, length int) (from, size, core, coreSize int) {
	last := g.along(length) - 1
	size = min(g.Size, length)
	start := func(i int) int { return max(0, min(i*(g.Size-g.Overlap), length-g.Size)) }
	border := func(i int) int { // where the core of tile i begins
		switch {
		case i <= 0:
			return 0
		case i > last:
			return length
		}
		return (start(i-1) + g.Size + start(i)) / 2
	}
	core = border(i)
	return start(i), size, core, border(i+1) - core
}

// At is the tile in that column and row; false if the grid has none there.
func (g Grid) At(col, row int) (Tile, bool) {
	if col < 0 || row < 0 || col >= g.Cols() || row >= g.Rows() {
		return Tile{}, false
	}
	t := Tile{Col: col, Row: row}
	t.Window.X, t.Window.W, t.Core.X, t.Core.W = g.span(col, g.Width)
	t.Window.Y, t.Window.H, t.Core.Y, t.Core.H = g.span(row, g.Height)
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
