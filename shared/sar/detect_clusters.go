package sar

import (
	"cmp"
	"math"
	"slices"
)

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
	joinPixels = 6 // apart, and still one target: between the scatterers of a ship there are gaps of some resolution cells
	growDB     = 9 // over clutter a target's pixels end: speckle alone has 1 in 2,800 of these
)

// clusters are what stands out: pixels growDB over clutter that lie together, one of them above the
// threshold. What the sidelobes of a much brighter pixel explain is none of them: it would join everything along the
// row and the column of a very bright target. One pass; some rows of labels are held.
// slope is by how many columns a row those along azimuth lean (Plan.lobeSlope).
func (c *cells) clusters(im *Image, rules CFAR, slope float64) []cluster {
	strong := c.strong(im)
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
			if p < grow*level || level == 0 || strong.explain(row, col, p, slope) {
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

// bright is a pixel.
type bright struct {
	row, col    int
	power, over float64 // intensity, and how much it is over its surroundings
}

type brights []bright

const (
	strongDB    = 30  // over clutter: the sidelobes of less than that end within joinPixels or so
	mostStrong  = 128 // bright pixels whose sidelobes are looked for; with more, those of the weaker ones are targets
	lobesFromDB = 10  // below the peak
	mainLobe    = 2   // pixels from a bright one are its own
	// lobeMargin is what sidelobes may have over those of an unweighted point that is as narrow as pixels are: points
	// are wider, and where those of two meet they have four times the power of either.
	lobeMargin = 8
	// So far below a target, and so near to its row or its column, is what 8 bits and the ends of the aperture and of
	// the pulse leave of it: seen 46 dB below points on an empty ground, up to 26 pixels aside.
	ghostDB     = 40
	ghostPixels = 32
)

// explain says whether a pixel lies where the sidelobes of a much brighter one do and is no brighter than those may be:
// an unweighted point's fall with the square of the distance, along rows and along columns that lean by slope.
func (all brights) explain(row, col int, power, slope float64) bool {
	for _, s := range all {
		if power >= s.power*math.Pow(10, -lobesFromDB/10.) {
			return false // the others are weaker still
		}
		dr, dc := abs(row-s.row), abs(col-s.col-int(math.Round(slope*float64(row-s.row))))
		x, y := math.Pi*float64(max(0, dc-1)), math.Pi*float64(max(0, dr-1)) // its peak is up to a pixel nearer
		if min(dr, dc) <= ghostPixels && power < s.power*math.Pow(10, -ghostDB/10.) {
			return true
		}
		if max(dr, dc) > mainLobe && power*max(1, x*x)*max(1, y*y) < lobeMargin*s.power {
			return true
		}
	}
	return false
}

// lobeSlope is by how many columns a row the sidelobes along azimuth lean. The Doppler frequency of the middle of the
// beam grows with the frequency within the chirp, by centroid/carrier: the band of a squinted target is a
// parallelogram, and its response in range is nearest to the target where the phase of that does not change.
func (p *Plan) lobeSlope() float64 {
	if p.Centroid.Hz == 0 {
		return 0
	}
	return -p.Centroid.Hz / p.Params.CarrierHz * p.Params.SamplingHz / p.Params.PRFHz
}

// strong are those that stand out most of the pixels that are brighter than their neighbours, the brightest first.
func (c *cells) strong(im *Image) brights {
	least := math.Pow(10, strongDB/10.)
	var all brights
	most := func() {
		slices.SortFunc(all, func(a, b bright) int {
			return cmp.Or(cmp.Compare(b.over, a.over), cmp.Compare(a.row, b.row), cmp.Compare(a.col, b.col))
		})
		all = all[:min(len(all), mostStrong)]
	}
	for row := 1; row < im.Rows-1; row++ {
		clutter := c.clutter[row/cellSide*c.cols:]
		for col := 1; col < im.Cols-1; col++ {
			p := power(im.Pix[row*im.Cols+col])
			level := clutter[col/cellSide]
			if p < least*level || level == 0 {
				continue
			}
			peak := true
			for _, at := range [8]int{-im.Cols - 1, -im.Cols, -im.Cols + 1, -1, 1, im.Cols - 1, im.Cols, im.Cols + 1} {
				peak = peak && power(im.Pix[row*im.Cols+col+at]) <= p
			}
			if !peak {
				continue
			}
			if all = append(all, bright{row, col, p, p / level}); len(all) == 64*mostStrong {
				most()
			}
		}
	}
	most()
	slices.SortStableFunc(all, func(a, b bright) int { return cmp.Compare(b.power, a.power) })
	return all
}
