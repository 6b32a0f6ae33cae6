package sar

import (
	"math"
	"slices"
)

// Quicklook gathers a small picture of an image while its rows pass: each of its pixels is the mean intensity of
// the image's pixels that fall on it. Where the spacing of rows and columns is known, its pixels are about as
// long along the track as they are wide in slant range. It is used by one goroutine.
type Quicklook struct {
	W, H             int
	stepRow, stepCol int
	sum              []float64
	count            []uint32
}

// NewQuicklook is for the image of a plan; the picture's longer side is at most side pixels.
func NewQuicklook(p *Plan, side int) *Quicklook {
	rows, cols := p.Params.Lines, p.Params.Samples
	along, across := 1.0, 1.0 // metres from row to row, and from column to column
	if v, c := p.Params.EffectiveVelocityMS/p.Params.PRFHz, p.Params.light()/2/p.Params.SamplingHz; v > 0 && c > 0 && v < 1e6 && c < 1e6 {
		along, across = v, c
	}
	pixel := max(float64(rows)*along, float64(cols)*across) / float64(side)
	step := func(spacing float64, length int) int {
		return max(1, int(math.Round(pixel/spacing)), (length+side-1)/side)
	}
	q := &Quicklook{stepRow: step(along, rows), stepCol: step(across, cols)}
	q.H, q.W = (rows+q.stepRow-1)/q.stepRow, (cols+q.stepCol-1)/q.stepCol
	q.sum, q.count = make([]float64, q.W*q.H), make([]uint32, q.W*q.H)
	return q
}

// Add takes rows in.
func (q *Quicklook) Add(im *Image) {
	for r := range im.Rows {
		to := (im.FirstRow + r) / q.stepRow * q.W
		for c, v := range im.Pix[r*im.Cols : (r+1)*im.Cols] {
			if i := real(v)*real(v) + imag(v)*imag(v); i > 0 && i <= math.MaxFloat32 {
				q.sum[to+c/q.stepCol] += float64(i)
				q.count[to+c/q.stepCol]++
			}
		}
	}
}

// Gray is the picture so far, a byte a pixel: decibels from the 1st percentile, black, to 3 dB above the 99th, white.
// What nothing fell on is black.
func (q *Quicklook) Gray() []byte {
	db, seen := make([]float64, len(q.sum)), make([]float64, 0, len(q.sum))
	for i, n := range q.count {
		if n > 0 {
			db[i] = 10 * math.Log10(q.sum[i]/float64(n))
			seen = append(seen, db[i])
		}
	}
	gray := make([]byte, len(q.sum))
	if len(seen) == 0 {
		return gray
	}
	slices.Sort(seen)
	low, high := seen[len(seen)/100], seen[len(seen)*99/100]+3
	for i, n := range q.count {
		if n > 0 {
			gray[i] = byte(255*min(max((db[i]-low)/(high-low), 0), 1) + 0.5)
		}
	}
	return gray
}
