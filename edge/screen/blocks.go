package screen

import (
	"slices"

	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/vision"
)

// Blocks says which squares of side x side pixels of a tile are to be sent, row by row: nil where all are. A
// square is left out where it has no data, where the network is sure that it is cloud, and, with
// scenes.unsure set, where the network is sure of whatever it sees: the device's mask stands for it then.
// What lies beside a square that is sent goes with it, for the cloud's network looks around.
// left is the share of the pixels with data for which the device's mask stands: all that are not linktile.Inner.
// skip, which may be nil, names squares that nobody needs for another reason.
func (c Config) Blocks(im vision.Image, mask *vision.Mask, side int, skip func(ground.Rect) bool) (kept []bool, left float64) {
	other := func(class byte) bool { return class > vision.Cloud && class != vision.NoData } // which a tile has no room for
	if c.KeepEverything || mask == nil || len(mask.Class) == 0 || len(mask.Probabilities) == 0 || slices.ContainsFunc(mask.Class, other) {
		return nil, 0
	}
	cols, rows := (mask.W+side-1)/side, (mask.H+side-1)/side
	wanted := make([]bool, cols*rows)
	seen := make([]int, len(wanted)) // pixels with data
	for i := range wanted {
		x, y := i%cols*side, i/cols*side
		at := ground.Rect{X: x, Y: y, W: min(side, mask.W-x), H: min(side, mask.H-y)}
		wanted[i], seen[i] = c.wanted(im, mask, at.X, at.Y, at.W, at.H)
		wanted[i] = wanted[i] && (skip == nil || !skip(at))
	}
	kept, all, out := make([]bool, len(wanted)), 0, 0
	for i := range kept {
		kept[i] = besideWanted(wanted, cols, i)
	}
	if !slices.Contains(kept, false) {
		return nil, 0
	}
	for i, judged := range linktile.Inner(kept, cols) {
		if all += seen[i]; !judged {
			out += seen[i]
		}
	}
	return kept, float64(out) / float64(max(all, 1))
}

// leaveOut decides which squares of a tile are sent. Where none is, the mask stands for all of it.
func (c Config) leaveOut(v *Decision, im vision.Image, mask *vision.Mask, skip func(ground.Rect) bool) {
	v.Kept, v.Left = c.Blocks(im, mask, linktile.BlockSide, skip)
	if v.Kept != nil && !slices.Contains(v.Kept, true) {
		v.Masked, v.Kept = true, nil
	}
}

// wanted says whether somebody should see a square's pixels, and how many of them have data.
func (c Config) wanted(im vision.Image, mask *vision.Mask, x, y, w, h int) (wanted bool, seen int) {
	least := int(c.Scenes.Sure * vision.ProbabilityOne)
	cloud, unsure := 0, 0
	for row := y; row < y+h; row++ {
		for i := row*mask.W + x; i < row*mask.W+x+w; i++ {
			if mask.Class[i] == vision.NoData || im.Void != nil && im.Void[i] != 0 {
				continue
			}
			seen++
			switch sure := certainty(mask, i) >= least; {
			case !sure:
				unsure++
			case mask.Class[i] == vision.Cloud:
				cloud++
			}
		}
	}
	if seen == 0 || float64(cloud) >= c.Scenes.CloudDrop*float64(seen) {
		return false, seen
	}
	return float64(unsure) >= c.Scenes.Unsure*float64(seen), seen
}

// certainty is the probability of the class that is likeliest, in 1/254.
func certainty(m *vision.Mask, i int) int {
	rest, most := vision.ProbabilityOne, 0
	for _, plane := range m.Probabilities {
		p := int(plane[i])
		rest -= p
		most = max(most, p)
	}
	return max(most, rest)
}

// besideWanted says whether the i-th square or one of its eight neighbours is wanted.
func besideWanted(wanted []bool, cols, i int) bool {
	col, rows := i%cols, len(wanted)/cols
	for row := max(0, i/cols-1); row <= min(rows-1, i/cols+1); row++ {
		for c := max(0, col-1); c <= min(cols-1, col+1); c++ {
			if wanted[row*cols+c] {
				return true
			}
		}
	}
	return false
}
