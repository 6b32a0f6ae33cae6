package raster

import "math"

// ties are where the points of a window of the map lie in an image, every tiePixels of them and at its end.
type ties struct {
	across   int       // points in a row of them
	down     int       // rows of them
	row, col []float64 // NaN where the image's geometry has no place for a point
	exact    func(x, y float64) (row, col float64)
}

// ties places the points of a window.
func (c *geocoder) ties(at Window) ties {
	t := ties{across: (at.W+tiePixels-1)/tiePixels + 1, down: (at.H+tiePixels-1)/tiePixels + 1}
	var x, y []float64
	for j := range t.down {
		for i := range t.across {
			px, py := c.georef.At(float64(at.X+i*tiePixels), float64(at.Y+j*tiePixels))
			x, y = append(x, px), append(y, py)
		}
	}
	t.row, t.col = c.pixels(x, y)
	t.exact = func(x, y float64) (row, col float64) {
		px, py := c.georef.At(float64(at.X)+x, float64(at.Y)+y)
		rows, cols := c.pixels([]float64{px}, []float64{py})
		return rows[0], cols[0]
	}
	return t
}

// pixels are where points of the map lie in the image.
func (c *geocoder) pixels(x, y []float64) (rows, cols []float64) {
	ok := c.to.placed(x, y, c.georef.pixel())
	rows, cols = make([]float64, len(x)), make([]float64, len(x))
	for i := range x {
		var err error
		if ok[i] {
			rows[i], cols[i], err = c.at.Pixel(y[i], x[i], c.height)
		}
		if !ok[i] || err != nil {
			rows[i], cols[i] = math.NaN(), math.NaN()
		}
	}
	return rows, cols
}

// pixel is where a point of the window lies, in pixels of the map from its corner. Beside points without a place,
// as at the end of an orbit, it is worked out by itself.
func (t *ties) pixel(x, y float64) (row, col float64) {
	u, v := x/tiePixels, y/tiePixels
	i, j := min(int(u), t.across-2), min(int(v), t.down-2)
	u, v = u-float64(i), v-float64(j)
	k := j*t.across + i
	row = (t.row[k]*(1-u)+t.row[k+1]*u)*(1-v) + (t.row[k+t.across]*(1-u)+t.row[k+t.across+1]*u)*v
	if row-row != 0 {
		return t.exact(x, y)
	}
	col = (t.col[k]*(1-u)+t.col[k+1]*u)*(1-v) + (t.col[k+t.across]*(1-u)+t.col[k+t.across+1]*u)*v
	return row, col
}

// touched is the part of the image that the points span, with a pixel around it. Where some have no place it is
// taken for as much more as lies between two of them.
func (t *ties) touched(rows, cols int) (Window, bool) {
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	missing, step := false, 0.0
	for k := range t.row {
		r, c := t.row[k], t.col[k]
		if r-r != 0 {
			missing = true
			continue
		}
		low[0], low[1], high[0], high[1] = min(low[0], r), min(low[1], c), max(high[0], r), max(high[1], c)
		for _, next := range []int{k + 1, k + t.across} {
			if next < len(t.row) && (next != k+1 || next%t.across != 0) && t.row[next]-t.row[next] == 0 {
				step = max(step, math.Abs(t.row[next]-r), math.Abs(t.col[next]-c))
			}
		}
	}
	if low[0] > high[0] {
		return Window{}, false
	}
	margin := 2.0
	if missing {
		margin += 2*step + tiePixels
	}
	x0, y0 := max(math.Floor(low[1]-margin), 0), max(math.Floor(low[0]-margin), 0)
	x1, y1 := min(math.Ceil(high[1]+margin), float64(cols)), min(math.Ceil(high[0]+margin), float64(rows))
	if !(x0 < x1 && y0 < y1) {
		return Window{}, false
	}
	return Window{X: int(x0), Y: int(y0), W: int(x1 - x0), H: int(y1 - y0)}, true
}

// samples is how many places of the image a pixel of the map takes in, to the right and down, so that none is
// passed over.
func (t *ties) samples() (right, down int) {
	var x, y float64
	for k := range t.row {
		if next := k + 1; next%t.across != 0 && t.row[k]-t.row[k] == 0 && t.row[next]-t.row[next] == 0 {
			x = max(x, math.Abs(t.row[next]-t.row[k]), math.Abs(t.col[next]-t.col[k]))
		}
		if next := k + t.across; next < len(t.row) && t.row[k]-t.row[k] == 0 && t.row[next]-t.row[next] == 0 {
			y = max(y, math.Abs(t.row[next]-t.row[k]), math.Abs(t.col[next]-t.col[k]))
		}
	}
	of := func(step float64) int { return max(1, min(maxSamples, int(math.Ceil(step/tiePixels-0.1)))) }
	return of(x), of(y)
}
