// Package windows is how a scene is cut for networks, and how what they find is put together again: the grid
// of windows, the tiles of the link that groups of them make, and one mask of many. Plain Go, for devices
// and the cloud; docs/decisions/0001 and 0023 say why it is done so.
package windows

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// Grid lays square windows of Size pixels over a scene, one every Size-Overlap pixels, beginning
// Margin pixels outside its top-left corner. Windows reach over the scene's borders where need be; the
// scene is mirrored there, so that each is full. Cores partition the scene: each pixel belongs to
// exactly one, and the border between two neighbours' cores runs through the middle of what they share.
//
// A tile is a group of at most Group x Group windows, of nearly equal size all over the scene, and holds the
// scene's own pixels that these show. With a Group of 0 a tile is one window, mirrored pixels included, as
// devices made them that knew no groups.
type Grid struct{ Width, Height, Size, Overlap, Margin, Group int }

// MaxGroup bounds the windows of a tile along a side.
const MaxGroup = 64

// Tile is one place of a grid.
type Tile struct {
	Col, Row int
	Span     Span   // the windows that it is made of
	Window   Window // around all of them; it may reach outside the scene
	Core     Window // the part that this tile answers for
	Held     Window // whose pixels the tile holds
}

// Span is a rectangle of windows: the first column and row, and how many there are.
type Span struct{ Col, Row, Cols, Rows int }

// Name is the tile's name within its scene: "<column>_<row>".
func (t Tile) Name() string { return strconv.Itoa(t.Col) + "_" + strconv.Itoa(t.Row) }

// Check says what is wrong with the grid, or nil.
func (g Grid) Check() error {
	switch {
	case g.Width <= 0 || g.Height <= 0:
		return fmt.Errorf("a grid needs a scene with pixels, not %d x %d", g.Width, g.Height)
	case g.Size <= 0:
		return fmt.Errorf("window size %d: use a positive number of pixels, 256 for most models", g.Size)
	case g.Overlap < 0 || g.Overlap > g.Size/2:
		return fmt.Errorf("window overlap %d: use 0 to %d, at most half the window's size", g.Overlap, g.Size/2)
	case g.Margin < 0 || g.Margin >= g.Size-g.Overlap:
		return fmt.Errorf("margin %d: use 0 to %d, less than from one window to the next", g.Margin, g.Size-g.Overlap-1)
	case g.Group < 0 || g.Group > MaxGroup:
		return fmt.Errorf("tiles of %d windows a side: use 1 to %d", g.Group, MaxGroup)
	}
	return nil
}

// GroupOf is how many windows a side tiles of at most so many pixels a side have.
func GroupOf(tile, size, overlap int) int {
	if size <= overlap || size <= 0 {
		return 1
	}
	return max(1, min((tile-overlap)/(size-overlap), MaxGroup))
}

// Windows is the grid whose tiles are the single windows, mirrored pixels included.
func (g Grid) Windows() Grid {
	g.Group = 0
	return g
}

// Grouped is the grid whose tiles are so many columns and rows, as somebody has counted them who did not keep
// the size of the groups; false where there is none.
func (g Grid) Grouped(cols, rows int) (Grid, bool) {
	if cols < 1 || rows < 1 {
		return g, false
	}
	g.Group = 0 // where nothing is grouped
	if w, h := g.along(g.Width), g.along(g.Height); cols < w || rows < h {
		g.Group = max((w+cols-1)/cols, (h+rows-1)/rows)
	}
	return g, g.Cols() == cols && g.Rows() == rows
}

// Cols is the number of tiles in a row, 0 for a grid that Check refuses.
func (g Grid) Cols() int { return g.tiles(g.Width) }

// Rows is the number of tiles in a column, 0 for a grid that Check refuses.
func (g Grid) Rows() int { return g.tiles(g.Height) }

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

// tiles is how many tiles there are along an axis.
func (g Grid) tiles(length int) int {
	group := max(1, g.Group)
	return (g.along(length) + group - 1) / group
}

// start is where the i-th window begins.
func (g Grid) start(i int) int { return i*(g.Size-g.Overlap) - g.Margin }

// border is where the core of the i-th of n windows begins.
func (g Grid) border(i, n, length int) int {
	switch {
	case i <= 0:
		return 0
	case i >= n:
		return length
	}
	return min(g.start(i)+g.Overlap/2, length)
}

// lay gives n windows along an axis from the first on: their span, their core, and what is held of them.
func (g Grid) lay(first, n, length int) (from, size, core, coreSize, held, heldSize int) {
	all := g.along(length)
	from, size = g.start(first), (n-1)*(g.Size-g.Overlap)+g.Size
	core = g.border(first, all, length)
	coreSize = g.border(first+n, all, length) - core
	held, heldSize = from, size
	if g.Group > 0 {
		_, span := Reflect(from, size, length)
		held, heldSize = span[0], span[1]-span[0]
	}
	return from, size, core, coreSize, held, heldSize
}

// Of is the tile of those windows; its column and row are not set.
func (g Grid) Of(s Span) Tile {
	t := Tile{Span: s}
	t.Window.X, t.Window.W, t.Core.X, t.Core.W, t.Held.X, t.Held.W = g.lay(s.Col, s.Cols, g.Width)
	t.Window.Y, t.Window.H, t.Core.Y, t.Core.H, t.Held.Y, t.Held.H = g.lay(s.Row, s.Rows, g.Height)
	return t
}

// Has says whether the grid has all windows of a span.
func (g Grid) Has(s Span) bool {
	w, h := g.along(g.Width), g.along(g.Height)
	return s.Col >= 0 && s.Row >= 0 && s.Cols >= 1 && s.Rows >= 1 && s.Cols <= w && s.Rows <= h && s.Col <= w-s.Cols && s.Row <= h-s.Rows
}

// At is the tile in that column and row; false if the grid has none there.
func (g Grid) At(col, row int) (Tile, bool) {
	cols, rows := g.Cols(), g.Rows()
	if col < 0 || row < 0 || col >= cols || row >= rows {
		return Tile{}, false
	}
	var s Span
	s.Col, s.Cols = share(col, cols, g.along(g.Width))
	s.Row, s.Rows = share(row, rows, g.along(g.Height))
	t := g.Of(s)
	t.Col, t.Row = col, row
	return t, true
}

// share is the i-th of n nearly equal parts of a row of windows.
func share(i, n, windows int) (first, count int) {
	first = i * windows / n
	return first, (i+1)*windows/n - first
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
