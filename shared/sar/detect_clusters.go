package sar

import "math"

// cluster is pixels that stand out and lie together.
type cluster struct {
	row, col                 int // of its brightest pixel
	peak, clutter            float64
	pixels                   int
	top, bottom, left, right int
}

// over is its peak over its surroundings.
func (c *cluster) over() float64 { return c.peak / c.clutter }

const (
	joinPixels = 3 // apart, and still one target: between the scatterers of a ship there are gaps of a resolution cell or two
	growDB     = 9 // over clutter a target's pixels end: speckle alone has 1 in 2,800 of these
)

// clusters are what stands out: pixels growDB over clutter that lie together, one of them above the
// threshold. One pass; some rows of labels are held.
func (c *cells) clusters(im *Image, rules CFAR) []cluster {
	grow, seed := math.Pow(10, growDB/10.), math.Pow(10, rules.ThresholdDB/10)
	var all []cluster
	var parent []int32
	root := func(i int32) int32 {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	var labels [joinPixels + 1][]int32 // 0: none; else cluster + 1, of this row and those above
	for i := range labels {
		labels[i] = make([]int32, im.Cols)
	}
	none := make([]int32, im.Cols)
	for row := range im.Rows {
		here := labels[row%len(labels)]
		copy(here, none)
		clutter := c.clutter[row/cellSide*c.cols:]
		for col, z := range im.Pix[row*im.Cols : (row+1)*im.Cols] {
			level := clutter[col/cellSide]
			p := power(z)
			if p < grow*level || level == 0 {
				continue
			}
			mine := int32(-1)
			for y := max(0, row-joinPixels); y <= row; y++ {
				for _, l := range labels[y%len(labels)][max(0, col-joinPixels):min(im.Cols, col+joinPixels+1)] {
					if l == 0 {
						continue
					}
					if r := root(l - 1); mine < 0 {
						mine = r
					} else if r != mine {
						parent[max(r, mine)] = min(r, mine)
						mine = min(r, mine)
					}
				}
			}
			if mine < 0 {
				mine = int32(len(parent))
				parent = append(parent, mine)
				all = append(all, cluster{top: row, bottom: row, left: col, right: col, row: row, col: col})
			}
			here[col] = mine + 1
			all[mine].add(cluster{row: row, col: col, peak: p, clutter: level, pixels: 1,
				top: row, bottom: row, left: col, right: col})
		}
	}
	for i := len(parent) - 1; i >= 0; i-- { // parents come first
		if r := root(int32(i)); r != int32(i) {
			all[r].add(all[i])
			all[i].pixels = 0
		}
	}
	kept := all[:0]
	for _, k := range all {
		if k.pixels >= rules.MinPixels && k.over() >= seed {
			kept = append(kept, k)
		}
	}
	return kept
}

func (c *cluster) add(o cluster) {
	if o.peak > c.peak {
		c.row, c.col, c.peak, c.clutter = o.row, o.col, o.peak, o.clutter
	}
	c.pixels += o.pixels
	c.top, c.bottom, c.left, c.right = min(c.top, o.top), max(c.bottom, o.bottom), min(c.left, o.left), max(c.right, o.right)
}

const (
	strongTargets = 300 // whose sidelobes are looked for
	// lobeMargin is what sidelobes may have over those of an unweighted point: a ship is many.
	lobeMargin = 4
)

// withoutSidelobes leaves out what lies where a much brighter target's sidelobes do and is no brighter than those may
// be: an unweighted point's fall with the square of the distance, along rows and columns. Targets come brightest first
// over their surroundings.
func withoutSidelobes(all []cluster) (kept []cluster, lobes int) {
	fall := func(pixels int) float64 {
		const perCell = 1.0 // pixels a resolution cell, at least
		x := math.Pi * float64(pixels) / perCell
		return 1 / max(1, x*x)
	}
	outside := func(v, from, to int) int { return max(0, from-v, v-to) }
	for _, c := range all {
		explained := false
		for _, s := range kept[:min(len(kept), strongTargets)] {
			dr, dc := outside(c.row, s.top, s.bottom), outside(c.col, s.left, s.right)
			if c.peak < s.peak/10 && c.peak < lobeMargin*s.peak*fall(dr)*fall(dc) {
				explained = true
				break
			}
		}
		if explained {
			lobes++
		} else {
			kept = append(kept, c)
		}
	}
	return kept, lobes
}
