package sar

import "math"

// bodyDB is how far below its peak a target's body ends, where clutter does not end it before: an unweighted point's
// second sidelobes are below that.
const bodyDB = 17

// target measures a cluster's body: the pixels within its box that are near its peak.
func (p *Plan) target(im *Image, c cluster) Target {
	t := Target{PeakRow: im.FirstRow + c.row, PeakCol: c.col, ClutterDB: 10 * math.Log10(c.over())}
	level := max(c.peak*math.Pow(10, -bodyDB/10.), c.clutter*math.Pow(10, growDB/10.))
	along, across := p.rowM(), p.cellM()
	top, bottom, left, right := c.bottom, c.top, c.right, c.left
	var sum, sumRow, sumCol float64
	var x, y, xx, yy, xy float64 // of places in metres, from the peak
	for row := c.top; row <= c.bottom; row++ {
		for col := c.left; col <= c.right; col++ {
			v := power(im.Pix[row*im.Cols+col])
			if v < level {
				continue
			}
			t.Pixels++
			top, bottom, left, right = min(top, row), max(bottom, row), min(left, col), max(right, col)
			sum, sumRow, sumCol = sum+v, sumRow+v*float64(row), sumCol+v*float64(col)
			dx, dy := float64(col-c.col)*across, float64(row-c.row)*along
			x, y, xx, yy, xy = x+dx, y+dy, xx+dx*dx, yy+dy*dy, xy+dx*dy
		}
	}
	n := float64(t.Pixels) // the peak at least
	xx, yy, xy = xx/n-x/n*x/n, yy/n-y/n*y/n, xy/n-x/n*y/n
	// Of a line of even pixels the longer axis's variance is a twelfth of the squared length.
	t.LengthM = math.Sqrt(12 * max(0, (xx+yy)/2+math.Hypot((xx-yy)/2, xy)))
	t.Rows, t.Cols = bottom-top+1, right-left+1
	t.Row, t.Col = float64(im.FirstRow)+sumRow/sum, sumCol/sum
	t.RangeM = p.Params.FirstSampleSlantRangeM + t.Col*across
	return t
}

// rowM is how far apart rows are in metres, but for the Earth's curvature.
func (p *Plan) rowM() float64 {
	if p.Params.PRFHz <= 0 {
		return 0
	}
	return p.Params.EffectiveVelocityMS / p.Params.PRFHz
}
