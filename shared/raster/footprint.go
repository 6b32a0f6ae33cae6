package raster

import (
	"errors"
	"math"
)

// edgePoints is how many points each side of a footprint gets: straight lines of a projection are
// bent in lon/lat, by 60 m in the middle of a 110 km side without points between.
const edgePoints = 8

// Outline is where a window lies in longitude and latitude (degrees, WGS 84), as valid polygons of RFC
// 7946: several over the 180th meridian. Of a window that reaches beyond what its reference system
// can place (the corners of a full disc of the Earth) it is the part that has a place, to 1/128 of its
// sides; none where nothing has. ErrNoGeoref for scenes that do not say where they lie.
func Outline(g Georef, w Window) ([][][][2]float64, error) {
	to, err := g.lonlat()
	if errors.Is(err, ErrNoPlace) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer to.close()
	f := featureWriter{georef: g, to: to}
	if rings, placed := f.lonlat(polygon{edge(w)}); placed && to.whole(g, w) {
		return onGlobe(rings)
	}
	var all [][][][2]float64
	areas, err := to.placeable(g, w)
	for _, area := range areas {
		rings, placed := f.lonlat(area)
		if !placed {
			continue
		}
		parts, err := onGlobe(rings)
		if err != nil {
			return nil, err
		}
		all = append(all, parts...)
	}
	return all, err
}

// Footprint is the outline of a window as one closed ring, counter-clockwise; of several parts it is
// the largest. A ring that crosses the 180th meridian has longitudes beyond 180. ErrNoGeoref for
// scenes without a place, ErrNoPlace for those whose place is not on the Earth.
func Footprint(g Georef, w Window) ([][2]float64, error) {
	to, err := g.lonlat()
	if err != nil {
		return nil, err
	}
	defer to.close()
	f := featureWriter{georef: g, to: to}
	if rings, placed := f.lonlat(polygon{edge(w)}); placed && to.whole(g, w) {
		return rings[0], nil
	}
	parts, err := Outline(g, w)
	if err != nil {
		return nil, err
	}
	var largest [][2]float64
	for _, p := range parts {
		if largest == nil || signedArea(p[0]) > signedArea(largest) {
			largest = p[0]
		}
	}
	if largest == nil {
		return nil, ErrNoPlace
	}
	return largest, nil
}

// edge is a window's edge in pixels, a closed ring with points between its corners.
func edge(w Window) (ring [][2]float64) {
	corners := [5][2]float64{{0, 0}, {0, 1}, {1, 1}, {1, 0}, {0, 0}}
	for i := range 4 {
		a, b := corners[i], corners[i+1]
		for k := range edgePoints {
			f := float64(k) / edgePoints
			ring = append(ring, [2]float64{float64(w.X) + (a[0]+(b[0]-a[0])*f)*float64(w.W), float64(w.Y) + (a[1]+(b[1]-a[1])*f)*float64(w.H)})
		}
	}
	return append(ring, ring[0])
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

// OutlineBounds is west, south, east, north of an outline. Over the 180th meridian west is greater than
// east, as GeoJSON's and STAC's bbox have it.
func OutlineBounds(outline [][][][2]float64) [4]float64 {
	b := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	var spans [][2]float64
	for _, polygon := range outline {
		span := [2]float64{math.Inf(1), math.Inf(-1)}
		for _, p := range polygon[0] {
			span[0], span[1] = min(span[0], p[0]), max(span[1], p[0])
			b[1], b[3] = min(b[1], p[1]), max(b[3], p[1])
		}
		spans = append(spans, span)
		b[0], b[2] = min(b[0], span[0]), max(b[2], span[1])
	}
	if b[0] > -180 || b[2] < 180 || len(spans) < 2 {
		return b
	}
	// Polygons on both sides of the meridian: the box is what lies around it, unless they meet again.
	west, east := 180.0, -180.0
	for _, s := range spans {
		switch {
		case s[1] >= 180 && s[0] > -180:
			west = min(west, s[0])
		case s[0] <= -180 && s[1] < 180:
			east = max(east, s[1])
		default:
			return b
		}
	}
	if west > east {
		b[0], b[2] = west, east
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
