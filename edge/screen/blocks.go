package screen

import "cloudcanvas/shared/vision"

// Blocks says which squares of side x side pixels of a tile are to be sent, row by row: nil where all are. A
// square is left out where it has no data, where the network is sure that it is cloud, and, with
// scenes.unsure set, where the network is sure of whatever it sees: the device's mask stands for it then.
// What lies beside a square that is sent goes with it, for the cloud's network looks around.
func (c Config) Blocks(im vision.Image, mask *vision.Mask, side int) []bool {
	if c.KeepEverything || mask == nil || len(mask.Class) == 0 || len(mask.Probabilities) == 0 {
		return nil
	}
	cols, rows := (mask.W+side-1)/side, (mask.H+side-1)/side
	wanted := make([]bool, cols*rows)
	left := 0
	for row := range rows {
		for col := range cols {
			wanted[row*cols+col] = c.wanted(im, mask, col*side, row*side, min(side, mask.W-col*side), min(side, mask.H-row*side))
		}
	}
	kept := make([]bool, len(wanted))
	for i := range kept {
		if kept[i] = besideWanted(wanted, cols, i); !kept[i] {
			left++
		}
	}
	if left == 0 {
		return nil
	}
	return kept
}

// wanted says whether somebody should see a square's pixels.
func (c Config) wanted(im vision.Image, mask *vision.Mask, x, y, w, h int) bool {
	least := int(c.Scenes.Sure * vision.ProbabilityOne)
	seen, cloud, unsure := 0, 0, 0
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
	switch {
	case seen == 0:
		return false
	case float64(cloud) >= c.Scenes.CloudDrop*float64(seen):
		return false
	}
	return float64(unsure) >= c.Scenes.Unsure*float64(seen)
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
