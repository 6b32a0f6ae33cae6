package sar

import (
	"fmt"
	"math"
	"slices"
)

// cellSide is a cell's side in pixels: some hundred looks, so that its mean is known to 0.4 dB or so.
const cellSide = 16

// cells are the means of an image's intensity on a coarse lattice: what a CFAR's windows and the question of land
// need, at a fraction of the cost of windows for each pixel.
type cells struct {
	rows, cols int
	mean       []float64 // 0: nothing was focused there
	clutter    []float64 // of the ring around; 0: too little of it is there
}

func newCells(im *Image) (*cells, error) {
	c := &cells{rows: (im.Rows + cellSide - 1) / cellSide, cols: (im.Cols + cellSide - 1) / cellSide}
	c.mean, c.clutter = make([]float64, c.rows*c.cols), make([]float64, c.rows*c.cols)
	for row := range im.Rows {
		to := c.mean[row/cellSide*c.cols:][:c.cols]
		for i := range to {
			sum := 0.0
			for _, z := range im.Pix[row*im.Cols+i*cellSide : row*im.Cols+min((i+1)*cellSide, im.Cols)] {
				sum += power(z)
			}
			to[i] += sum
		}
	}
	for i := range c.mean {
		h, w := min(cellSide, im.Rows-i/c.cols*cellSide), min(cellSide, im.Cols-i%c.cols*cellSide)
		if c.mean[i] /= float64(h * w); math.IsNaN(c.mean[i]) || math.IsInf(c.mean[i], 0) {
			return nil, fmt.Errorf("sar: rows %d to %d, columns %d to %d hold a number that is none or has no end", im.FirstRow+i/c.cols*cellSide,
				im.FirstRow+i/c.cols*cellSide+h-1, i%c.cols*cellSide, i%c.cols*cellSide+w-1)
		}
	}
	for i := range c.clutter {
		c.clutter[i] = c.ring(i/c.cols, i%c.cols)
	}
	return c, nil
}

func power(z complex64) float64 {
	return float64(real(z))*float64(real(z)) + float64(imag(z))*float64(imag(z))
}

const (
	guardCells = 1 // around a pixel's own cell: a ship and what smears out of it
	ringCells  = 3 // as far as the ring goes
	leastRing  = 8 // cells that a mean needs
)

// ring is the mean of the cells around one, without the brightest quarter; 0 where too few are there.
func (c *cells) ring(row, col int) float64 {
	var around [(2*ringCells + 1) * (2*ringCells + 1)]float64
	n := 0
	for y := max(0, row-ringCells); y <= min(c.rows-1, row+ringCells); y++ {
		for x := max(0, col-ringCells); x <= min(c.cols-1, col+ringCells); x++ {
			if max(abs(y-row), abs(x-col)) > guardCells && c.mean[y*c.cols+x] > 0 {
				around[n] = c.mean[y*c.cols+x]
				n++
			}
		}
	}
	if n < leastRing {
		return 0
	}
	slices.Sort(around[:n])
	n -= n / 4
	sum := 0.0
	for _, m := range around[:n] {
		sum += m
	}
	return sum / float64(n)
}

func abs(v int) int { return max(v, -v) }
