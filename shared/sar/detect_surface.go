package sar

import (
	"fmt"
	"math"
	"slices"
)

// surface is what an image's ground looks like: which of its cells are land, judged by statistics alone.
//
// Sea is the darker of two kinds of cells where the image has two (Otsu's threshold over the cells' levels in dB,
// Otsu 1979, whose classes lie contrastDB apart at least), or all of it where the image has one kind that changes
// little from cell to cell. In other images (land all over, or nothing but rough ground) nobody can tell sea, and
// nothing is called a ship.
type surface struct {
	*cells
	known     bool
	sea       float64 // intensity
	land      []bool  // cells above the limit
	region    []int32 // which connected land or sea each cell belongs to
	size      []int   // cells of each
	landShare float64
	why       string // where it is not known
}

const (
	contrastDB = 6.0 // between the mean levels of sea and land
	islandDB   = 5.0 // above the level of an image that is sea all over
	roughDB    = 0.6 // median difference of neighbouring cells: 0.3 of speckle alone; seen in RADARSAT-1: 0.5 at most of sea, 0.8 of woods, 1.3 and more of suburbs
	mostOfShip = 24  // cells: a ship with its sidelobes
	leastSea   = 256 // cells: what is dark and smaller is a lake, a field or an airport
	coastCells = 4   // as far as land makes a place coast
	coastLand  = 0.15
)

func (c *cells) surface() *surface {
	s := &surface{cells: c, land: make([]bool, len(c.mean)), region: make([]int32, len(c.mean))}
	levels := make([]float64, len(c.mean))
	var there []float64
	for i, m := range c.mean {
		levels[i] = math.Inf(-1)
		if m > 0 {
			levels[i] = 10 * math.Log10(m)
			there = append(there, levels[i])
		}
	}
	if len(there) < 64 {
		s.why = "the image is too small to tell sea from land"
		return s
	}
	slices.Sort(there)
	limit, low, high := otsu(there)
	if high-low < contrastDB {
		if rough := c.roughness(levels); rough > roughDB {
			s.why = fmt.Sprintf("no sea can be told: the image has one kind of ground, which changes by %.1f dB from place to place", rough)
			return s
		}
		low = there[len(there)/2]
		limit = low + islandDB
	}
	s.known, s.sea = true, math.Pow(10, low/10)
	n := 0
	for i, l := range levels {
		if s.land[i] = l > limit; s.land[i] {
			n++
		}
	}
	s.landShare = float64(n) / float64(len(there))
	s.connect()
	return s
}

// otsu parts sorted levels in two so that they differ most between the parts.
func otsu(sorted []float64) (limit, low, high float64) {
	total := 0.0
	for _, v := range sorted {
		total += v
	}
	best, sum, n := -1.0, 0.0, float64(len(sorted))
	for i, v := range sorted[:len(sorted)-1] {
		sum += v
		k := float64(i + 1)
		a, b := sum/k, (total-sum)/(n-k)
		if between := k * (n - k) * (a - b) * (a - b); between > best {
			best, limit, low, high = between, (v+sorted[i+1])/2, a, b
		}
	}
	return limit, low, high
}

// roughness is the median difference of neighbouring cells in dB.
func (c *cells) roughness(levels []float64) float64 {
	var all []float64
	for i, l := range levels {
		if i%c.cols > 0 && !math.IsInf(l, 0) && !math.IsInf(levels[i-1], 0) {
			all = append(all, math.Abs(l-levels[i-1]))
		}
	}
	if len(all) == 0 {
		return math.Inf(1)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// connect numbers the regions of land, and those of sea.
func (s *surface) connect() {
	s.size = []int{0}
	var todo []int
	for start := range s.land {
		if s.region[start] != 0 || s.mean[start] == 0 {
			continue
		}
		id := int32(len(s.size))
		s.size = append(s.size, 0)
		todo = append(todo[:0], start)
		s.region[start] = id
		for len(todo) > 0 {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			s.size[id]++
			s.near(at/s.cols, at%s.cols, 1, func(i int) {
				if s.region[i] == 0 && s.mean[i] > 0 && s.land[i] == s.land[start] {
					s.region[i] = id
					todo = append(todo, i)
				}
			})
		}
	}
}

func (s *surface) near(row, col, far int, each func(i int)) {
	for y := max(0, row-far); y <= min(s.rows-1, row+far); y++ {
		for x := max(0, col-far); x <= min(s.cols-1, col+far); x++ {
			each(y*s.cols + x)
		}
	}
}

// class says what a target is taken for, and why.
func (s *surface) class(c cluster, lengthM float64, rules CFAR) (Class, string) {
	if !s.known {
		return Bright, s.why
	}
	if lengthM > rules.MaxLengthM {
		return Bright, fmt.Sprintf("longer than a ship: %.0f m", lengthM)
	}
	own := c.row/cellSide*s.cols + c.col/cellSide
	if s.large(own) {
		return Bright, "on land"
	}
	land, all, sea := 0, 0, 0
	s.near(own/s.cols, own%s.cols, coastCells, func(i int) {
		if s.mean[i] == 0 {
			return
		}
		all++
		if s.large(i) {
			land++
		} else if !s.land[i] {
			sea = max(sea, s.size[s.region[i]])
		}
	})
	switch {
	case float64(land) > coastLand*float64(all):
		return Bright, "at a coast"
	case sea < leastSea && s.landShare > 0:
		return Bright, "within a small dark place"
	}
	return Ship, "in open sea"
}

// large says whether a cell is of land that is larger than a ship.
func (s *surface) large(i int) bool { return s.land[i] && s.size[s.region[i]] > mostOfShip }
