package screen

import (
	"math"
	"slices"
)

// Bounds of what counts as another light over the same ground: the sun's height, haze, and the
// sensor's calibration change all cells of a band alike. More than that is taken for a change.
const (
	minGain, maxGain = 0.67, 1.5
	maxOffset        = 0.1    // reflectance
	fitCells         = 1024   // cells that a fit overviews at, evenly taken
	minFit           = 16     // fewer cells in common say nothing
	leastScale       = 0.002  // reflectance: steps of the codes
	flatGround       = 0.0001 // variance below which no gain can be told
	relative         = 0.05   // of the expected light that is no change either: its direction
	shadowed         = 0.8    // of the expected light, in every band: a cloud's shadow
	cloudsNearby     = 0.005  // cloud share of the tile from which on shadows are looked for
)

// Against compares a tile's overview with the last clear view of the same ground, and leaves the tile
// out where less of its clear ground has changed than the policy asks for. Ground that is clear now
// and was not then counts as changed: nobody has seen it. Whatever lies in a cloud's shadow becomes
// unseen in now, and before is brought to now's light, ready for Fill. It says whether there was
// anything to compare.
func (c Config) Against(v *Decision, now, before Overview) bool {
	if now.Empty() || !now.like(before) {
		return false
	}
	score, ok := compare(now, before, c.Scenes.Difference, v.Score.Cloud >= cloudsNearby)
	if !ok {
		return false
	}
	v.Score.Change = score
	if v.Keep && !c.KeepEverything && c.Scenes.Change > 0 && score < c.Scenes.Change {
		v.Keep, v.Reason = false, Unchanged
	}
	return true
}

// compare gives the share of now's clear cells that changed; false where nothing is clear.
func compare(now, before Overview, difference float64, shadows bool) (float64, bool) {
	n := now.W * now.H
	var common []int
	clear := 0
	for cell := range n {
		if now.Cells[cell] == 0 {
			continue
		}
		clear++
		if before.Cells[cell] != 0 {
			common = append(common, cell)
		}
	}
	if clear == 0 {
		return 0, false
	}
	if len(common) < minFit {
		return 1, true
	}
	changed := make([]bool, n)
	darker := make([]int, n) // in so many bands
	for b := range now.Bands {
		is, was := now.Cells[b*n:(b+1)*n], before.Cells[b*n:(b+1)*n]
		gain, offset := fit(is, was, common)
		for cell, v := range was {
			if v == 0 {
				continue
			}
			expected := gain*lights[v] + offset
			was[cell] = code(expected)
			if is[cell] == 0 {
				continue
			}
			light := lights[is[cell]]
			if float64(max(light-expected, expected-light)) > difference+relative*float64(expected) {
				changed[cell] = true
			}
			if light < shadowed*expected {
				darker[cell]++
			}
		}
	}
	differ := clear - len(common) // seen for the first time
	for _, cell := range common {
		switch {
		case shadows && darker[cell] == len(now.Bands):
			now.hide(cell)
			clear--
		case changed[cell]:
			differ++
		}
	}
	if clear == 0 {
		return 0, false
	}
	return float64(differ) / float64(clear), true
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

// middle is the median, with values put in order.
func middle(values []float64) float64 {
	ordered := slices.Sorted(slices.Values(values))
	return ordered[len(ordered)/2]
}
