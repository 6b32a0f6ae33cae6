package raster

import "math"

// placed turns points of the reference system into longitude and latitude in place, and says of each
// whether it has one: a point has if it comes back from there to where it was, to within a hundredth
// of tolerance. Beyond its edges a projection gives numbers that mean another place.
func (l *lonlat) placed(x, y []float64, tolerance float64) []bool {
	fx, fy := append([]float64{}, x...), append([]float64{}, y...)
	ok := make([]bool, len(x))
	if err := l.via.TransformEx(x, y, nil, ok); err == nil {
		for i := range ok {
			ok[i] = true
		}
	}
	if l.degrees {
		for i := range ok {
			ok[i] = ok[i] && math.Abs(fy[i]) <= 90+1e-9 && fx[i] >= -360-1e-9 && fx[i] <= 540+1e-9
		}
		return ok
	}
	bx, by := append([]float64{}, x...), append([]float64{}, y...)
	back := make([]bool, len(x))
	if err := l.back.TransformEx(bx, by, nil, back); err == nil {
		for i := range back {
			back[i] = true
		}
	}
	for i := range ok {
		ok[i] = ok[i] && back[i] && math.Abs(y[i]) <= 90.01 && math.Abs(x[i]) <= 540 && math.Hypot(bx[i]-fx[i], by[i]-fy[i]) <= tolerance/100
	}
	return ok
}

// cells is how many cells a side a window is cut into to see which part of it has a place.
const cells = 128

// grid places the corners of a window's cells, row after row.
func (l *lonlat) grid(g Georef, w Window, n int) []bool {
	var x, y []float64
	for j := range n + 1 {
		for i := range n + 1 {
			px, py := g.At(float64(w.X)+float64(w.W)*float64(i)/float64(n), float64(w.Y)+float64(w.H)*float64(j)/float64(n))
			x, y = append(x, px), append(y, py)
		}
	}
	return l.placed(x, y, g.pixel())
}

// pixel is the length of a pixel's longer side in the reference system.
func (g Georef) pixel() float64 {
	t := g.Transform
	return max(math.Hypot(t[1], t[4]), math.Hypot(t[2], t[5]))
}

// whole says whether all of a window has a place, as far as 17 x 17 points can tell.
func (l *lonlat) whole(g Georef, w Window) bool {
	for _, ok := range l.grid(g, w, 16) {
		if !ok {
			return false
		}
	}
	return true
}

// placeable is the outline in pixels of the cells that have a place.
func (l *lonlat) placeable(g Georef, w Window) ([]polygon, error) {
	ok := l.grid(g, w, cells)
	var runs []polygon
	at := func(i, n, from, size int) float64 { return float64(from) + float64(size)*float64(i)/float64(n) }
	for j := range cells {
		start := -1
		for i := range cells + 1 {
			k := j*(cells+1) + i
			if i < cells && ok[k] && ok[k+1] && ok[k+cells+1] && ok[k+cells+2] {
				if start < 0 {
					start = i
				}
				continue
			}
			if start >= 0 {
				x0, x1 := at(start, cells, w.X, w.W), at(i, cells, w.X, w.W)
				y0, y1 := at(j, cells, w.Y, w.H), at(j+1, cells, w.Y, w.H)
				runs = append(runs, polygon{{{x0, y0}, {x0, y1}, {x1, y1}, {x1, y0}, {x0, y0}}})
			}
			start = -1
		}
	}
	if len(runs) == 0 {
		return nil, nil
	}
	return union(runs)
}
