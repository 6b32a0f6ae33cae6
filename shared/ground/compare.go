package ground

import (
	"math"
	"slices"
)

// Bounds of what counts as another light over the same ground: the sun's height, haze, and the
// sensor's calibration change all cells of a band alike. More than that is taken for a change.
const (
	minGain, maxGain = 0.67, 1.5
	maxOffset        = 0.1    // reflectance
	fitCells         = 1024   // cells that a fit looks at, evenly taken
	minFit           = 16     // fewer cells in common say nothing
	minOwnFit        = 64     // cells of a source that has a fit of its own beside the largest one's
	leastScale       = 0.002  // reflectance: steps of the codes
	flatGround       = 0.0001 // variance below which no gain can be told
	relative         = 0.05   // of the expected light that is no change either: its direction
	shadowed         = 0.8    // of the expected light, in every band: a cloud's shadow
)

// States of a cell that was compared.
const (
	Unseen  = 0 // it shows no clear ground now
	Same    = 1
	Changed = 2
	New     = 3 // nobody has seen it before
)

// Comparison is what became of an overview's cells. The zero Comparison has compared nothing.
type Comparison struct {
	Overview
	State []byte // of each cell
	Clear int    // cells that show clear ground now, but for those in a cloud's shadow …
	Moved int    // … and those of them that are Changed or New
	// Reference is what showed most of the ground before.
	Reference Source
}

// Share of the clear ground that has changed or was never seen, 0 … 1.
func (c Comparison) Share() float64 {
	if c.Clear == 0 {
		return 0
	}
	return float64(c.Moved) / float64(c.Clear)
}

// In counts the clear cells, and those of them that are Changed or New, of a rectangle of the picture. A cell
// counts where the rectangle has any pixel of it.
func (c Comparison) In(r Rect) (clear, moved int) {
	if len(c.State) == 0 || r.W < 1 || r.H < 1 {
		return 0, 0
	}
	x0, x1 := max(r.X+c.left, 0)/CellPixels, min((r.X+r.W-1+c.left)/CellPixels, c.W-1)
	y0, y1 := max(r.Y+c.top, 0)/CellPixels, min((r.Y+r.H-1+c.top)/CellPixels, c.H-1)
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			switch c.State[y*c.W+x] {
			case Same:
				clear++
			case Changed, New:
				clear++
				moved++
			}
		}
	}
	return clear, moved
}

// BlockShare is what became of a block's cells that the picture shows.
type BlockShare struct {
	Block
	Clear, Moved int
}

// ByBlock is the outcome by blocks of the lattice.
func (c Comparison) ByBlock() (all []BlockShare) {
	if len(c.State) == 0 {
		return nil
	}
	for _, b := range c.Blocks() {
		share := BlockShare{Block: b}
		c.overlap(b, func(here, _, n int) {
			for _, state := range c.State[here : here+n] {
				switch state {
				case Same:
					share.Clear++
				case Changed, New:
					share.Clear++
					share.Moved++
				}
			}
		})
		all = append(all, share)
	}
	return all
}

// before is what is known of an overview's cells.
type before struct {
	sources []Source
	from    []int // of each cell: 0 not seen, else one more than its place in sources
	cells   []byte
}

// Compare compares an overview with the views of its blocks. difference is the change of reflectance that
// counts once the light is levelled out, which is done for each source apart. Where shadows are looked for,
// cells that are darker than expected in every band become unseen in now, too. It says false where nothing
// can be compared: no ground is clear, or none is known.
func Compare(now Overview, views map[Block]View, difference float64, shadows bool) (Comparison, bool) {
	if now.Empty() {
		return Comparison{}, false
	}
	b := gather(now, views)
	if len(b.sources) == 0 {
		return Comparison{}, false
	}
	n := now.W * now.H
	c := Comparison{Overview: now, State: make([]byte, n)}
	groups := make([][]int, len(b.sources)) // cells that are seen now and then
	common := 0
	for cell := range n {
		switch {
		case now.Cells[cell] == 0:
			continue
		case b.from[cell] == 0:
			c.State[cell] = New
			c.Moved++
		default:
			c.State[cell] = Same
			groups[b.from[cell]-1] = append(groups[b.from[cell]-1], cell)
			common++
		}
		c.Clear++
	}
	if c.Clear == 0 {
		return Comparison{}, false
	}
	largest := 0
	for i := range groups {
		if len(groups[i]) > len(groups[largest]) {
			largest = i
		}
	}
	if len(groups[largest]) < minFit {
		for cell, state := range c.State {
			if state == Same {
				c.State[cell] = Changed
				c.Moved++
			}
		}
		return c, true
	}
	c.Reference = b.sources[largest]
	c.level(now, b, groups, largest, difference, shadows)
	return c, c.Clear > 0
}

// gather lays the views under the overview.
func gather(now Overview, views map[Block]View) before {
	b := before{from: make([]int, now.W*now.H), cells: make([]byte, len(now.Cells))}
	place := map[Source]int{}
	for _, block := range now.Blocks() {
		v, ok := views[block]
		if !ok || v.Empty() || v.Bands != now.Bands {
			continue
		}
		at := make([]int, len(v.Sources)+1)
		for i, s := range v.Sources {
			if place[s] == 0 {
				b.sources = append(b.sources, s)
				place[s] = len(b.sources)
			}
			at[i+1] = place[s]
		}
		now.overlap(block, func(here, there, n int) {
			for i := range n {
				b.from[here+i] = at[v.From[there+i]]
			}
			for band := range now.Bands {
				copy(b.cells[band*now.W*now.H+here:][:n], v.Cells[band*blockArea+there:][:n])
			}
		})
	}
	return b
}

// level levels the light of each source, and says which cells differ.
func (c *Comparison) level(now Overview, b before, groups [][]int, largest int, difference float64, shadows bool) {
	n := now.W * now.H
	changed, darker := make([]bool, n), make([]int, n) // in so many bands
	for band := range now.Bands {
		is, was := now.Cells[band*n:(band+1)*n], b.cells[band*n:(band+1)*n]
		usual, usualOffset := fit(is, was, groups[largest])
		for i, cells := range groups {
			gain, offset := usual, usualOffset
			if i != largest && len(cells) >= minOwnFit {
				gain, offset = fit(is, was, cells)
			}
			for _, cell := range cells {
				expected := min(max(gain*lights[was[cell]]+offset, 0), brightest)
				light := lights[is[cell]]
				if float64(max(light-expected, expected-light)) > difference+relative*float64(expected) {
					changed[cell] = true
				}
				if light < shadowed*expected {
					darker[cell]++
				}
			}
		}
	}
	for cell, state := range c.State {
		switch {
		case state != Same:
		case shadows && darker[cell] == now.Bands:
			now.hide(cell)
			c.State[cell] = Unseen
			c.Clear--
		case changed[cell]:
			c.State[cell] = Changed
			c.Moved++
		}
	}
}

// fit finds gain and offset with which the light of before becomes that of now for most of the
// cells: least squares, weighted again and again by Tukey's biweight, so that what has changed does
// not draw the line towards itself (Beaton and Tukey, Technometrics 16 (1974)).
func fit(now, before []byte, cells []int) (gain, offset float32) {
	step := max(1, len(cells)/fitCells)
	x, y := make([]float64, 0, 2*fitCells), make([]float64, 0, 2*fitCells)
	for i := 0; i < len(cells); i += step {
		x, y = append(x, float64(lights[before[cells[i]]])), append(y, float64(lights[now[cells[i]]]))
	}
	rest := make([]float64, len(x))
	for i := range x {
		rest[i] = y[i] - x[i]
	}
	a, b := 1.0, middle(rest)
	for range 8 {
		for i := range x {
			rest[i] = math.Abs(y[i] - a*x[i] - b)
		}
		reach := 4.685 * max(1.4826*middle(rest), leastScale)
		var w, wx, wy, wxx, wxy float64
		for i := range x {
			u := (y[i] - a*x[i] - b) / reach
			if u <= -1 || u >= 1 {
				continue
			}
			k := (1 - u*u) * (1 - u*u)
			w, wx, wy, wxx, wxy = w+k, wx+k*x[i], wy+k*y[i], wxx+k*x[i]*x[i], wxy+k*x[i]*y[i]
		}
		if w == 0 {
			break
		}
		mx, my := wx/w, wy/w
		was := a
		if variance := wxx/w - mx*mx; variance > flatGround {
			a = min(max((wxy/w-mx*my)/variance, minGain), maxGain)
		} else {
			a = 1
		}
		moved := math.Abs(my-a*mx-b) + math.Abs(a-was)
		if b = my - a*mx; moved < 1e-4 {
			break
		}
	}
	return float32(a), float32(min(max(b, -maxOffset), maxOffset))
}

// middle is the median of values.
func middle(values []float64) float64 {
	ordered := slices.Sorted(slices.Values(values))
	return ordered[len(ordered)/2]
}
