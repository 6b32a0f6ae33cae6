package raster

import "math"

// edgePoints is how many points each side of a footprint gets: straight lines of a projection are
// bent in lon/lat, by 60 m in the middle of a 110 km side without points between.
const edgePoints = 8

// Footprint is the outline of a window in longitude and latitude (degrees, WGS 84): a closed ring,
// counter-clockwise, first point repeated at the end, as GeoJSON's exterior rings are. A ring that
// crosses the 180th meridian has longitudes beyond 180. ErrNoGeoref for scenes without a place.
func Footprint(g Georef, w Window) ([][2]float64, error) {
	to, err := g.lonlat()
	if err != nil {
		return nil, err
	}
	defer to.close()
	corners := [5][2]float64{{0, 0}, {0, 1}, {1, 1}, {1, 0}, {0, 0}}
	var xs, ys []float64
	for i := range 4 {
		a, b := corners[i], corners[i+1]
		for k := range edgePoints {
			f := float64(k) / edgePoints
			x, y := g.At(float64(w.X)+(a[0]+(b[0]-a[0])*f)*float64(w.W), float64(w.Y)+(a[1]+(b[1]-a[1])*f)*float64(w.H))
			xs, ys = append(xs, x), append(ys, y)
		}
	}
	if err := to.turn(xs, ys); err != nil {
		return nil, err
	}
	ring := make([][2]float64, len(xs), len(xs)+1)
	for i := range xs {
		ring[i] = [2]float64{xs[i], ys[i]}
	}
	ring = unwrap(append(ring, ring[0]))
	if signedArea(ring) < 0 {
		reverse(ring)
	}
	return ring, nil
}

// Bounds is west, south, east, north of a ring. Over the 180th meridian west is greater than east,
// as GeoJSON's and STAC's bbox have it.
func Bounds(ring [][2]float64) [4]float64 {
	b := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, p := range ring {
		b[0], b[1] = min(b[0], p[0]), min(b[1], p[1])
		b[2], b[3] = max(b[2], p[0]), max(b[3], p[1])
	}
	switch {
	case b[2]-b[0] >= 360: // around a pole
		b[0], b[2] = -180, 180
	case b[2] > 180:
		b[2] -= 360
	}
	return b
}

// unwrap makes the longitudes of a closed ring continuous, the least of them in -180 … 180: a jump of
// more than half a turn from point to point is the 180th meridian. A ring that runs once around a pole
// does not close in longitude: it gets the way to the pole, along it and back, so that it bounds the
// pole's side. The result may be another slice.
func unwrap(ring [][2]float64) [][2]float64 {
	for i := 1; i < len(ring); i++ {
		ring[i][0] -= 360 * turns(ring[i][0]-ring[i-1][0])
	}
	low, lats := math.Inf(1), 0.0
	for _, p := range ring {
		low = min(low, p[0])
		lats += p[1]
	}
	for i := range ring { // a place is the same after whole turns
		ring[i][0] -= 360 * math.Floor((low+180)/360)
	}
	first, last := ring[0], ring[len(ring)-1]
	if math.Abs(last[0]-first[0]) < 180 {
		return ring
	}
	pole := math.Copysign(90, lats)
	return append(ring, [2]float64{last[0], pole}, [2]float64{first[0], pole}, first)
}

// turns is how many whole turns lie in a step of longitude that is to be half a turn at most. It is no loop:
// a system with a unit of its own makes steps of any size.
func turns(step float64) float64 {
	switch {
	case step > 180:
		return math.Ceil((step - 180) / 360)
	case step < -180:
		return -math.Ceil((-step - 180) / 360)
	}
	return 0
}

// signedArea is positive for counter-clockwise rings.
func signedArea(ring [][2]float64) float64 {
	var sum float64
	for i := 1; i < len(ring); i++ {
		a, b := ring[i-1], ring[i]
		sum += (b[0] - a[0]) * (b[1] + a[1])
	}
	return -sum / 2
}

func reverse(ring [][2]float64) {
	for i, j := 0, len(ring)-1; i < j; i, j = i+1, j-1 {
		ring[i], ring[j] = ring[j], ring[i]
	}
}
