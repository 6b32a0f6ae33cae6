package raster

import "math"

// onGlobe turns an outline in unwrapped longitudes (footprint.go) into valid polygons as RFC 7946
// wants them: longitudes -180 … 180, cut at the 180th meridian, exteriors counter-clockwise, holes
// clockwise, 7 decimals (more for pixels of millimetres) where they stay valid with so few. What has no area is left out.
func onGlobe(rings polygon) ([]polygon, error) {
	if inside(rings[0]) {
		if whole := []polygon{roundedRings(rings)}; oriented(whole) && valid(whole) {
			return whole, nil
		}
	}
	exterior := []polygon{{rings[0]}}
	var holes []polygon
	for _, h := range rings[1:] {
		holes = append(holes, polygon{beside(h, rings[0])})
	}
	if len(holes) > 1 { // rings around a pole overlap once they are unwrapped
		var err error
		if holes, err = union(holes); err != nil {
			return nil, err
		}
	}
	var parts []polygon
	for turn := -1.0; turn <= 2; turn++ {
		part, err := overlay(exterior, holes, []polygon{box(-180+360*turn, 180+360*turn)})
		if err != nil {
			return nil, err
		}
		for _, p := range part {
			for _, ring := range p {
				for k := range ring {
					ring[k][0] -= 360 * turn
				}
			}
			parts = append(parts, p)
		}
	}
	return settled(parts)
}

// settled joins parts that meet, as those of a ring around a pole do where its longitudes begin, orders
// their rings, and rounds them unless rounding would break them.
func settled(parts []polygon) ([]polygon, error) {
	if len(parts) > 1 {
		var err error
		if parts, err = union(parts); err != nil {
			return nil, err
		}
	}
	var short, full []polygon
	for _, p := range parts {
		if r := roundedRings(p); oriented([]polygon{r}) {
			short = append(short, r)
		}
		if oriented([]polygon{p}) {
			full = append(full, p)
		}
	}
	if len(short) > 0 && valid(short) {
		return short, nil
	}
	return full, nil
}

// inside says whether a ring needs no cutting.
func inside(ring [][2]float64) bool {
	for _, p := range ring {
		if p[0] < -180 || p[0] > 180 || p[1] < -90 || p[1] > 90 {
			return false
		}
	}
	return true
}

// beside moves a hole by whole turns so that it lies in its exterior.
func beside(hole, exterior [][2]float64) [][2]float64 {
	middle := func(ring [][2]float64) float64 {
		low, high := math.Inf(1), math.Inf(-1)
		for _, p := range ring {
			low, high = min(low, p[0]), max(high, p[0])
		}
		return (low + high) / 2
	}
	low := math.Inf(1)
	for _, p := range exterior {
		low = min(low, p[0])
	}
	turns := 360 * math.Floor((middle(hole)-low)/360)
	moved := make([][2]float64, len(hole))
	for i, p := range hole {
		moved[i] = [2]float64{p[0] - turns, p[1]}
	}
	return moved
}

func box(west, east float64) polygon {
	return polygon{{{west, -90}, {east, -90}, {east, 90}, {west, 90}, {west, -90}}}
}

// oriented turns rings round where they run the wrong way. It is false where one has no area.
func oriented(polygons []polygon) bool {
	for _, rings := range polygons {
		for i, ring := range rings {
			area := signedArea(ring)
			if area == 0 {
				return false
			}
			if (area > 0) != (i == 0) {
				reverse(ring)
			}
		}
	}
	return true
}

// roundedRings have 7 decimals, a centimetre; more where the shortest edge is not ten of those long.
func roundedRings(rings polygon) polygon {
	parts := 1e7
	for shortest := shortestEdge(rings); shortest*parts < 10 && parts < 1e12; {
		parts *= 10
	}
	out := make(polygon, len(rings))
	for i, ring := range rings {
		short := make([][2]float64, 0, len(ring))
		for _, p := range ring {
			p = [2]float64{rounded(p[0], parts), rounded(p[1], parts)}
			if n := len(short); n == 0 || short[n-1] != p {
				short = append(short, p)
			}
		}
		out[i] = short
	}
	return out
}

// shortestEdge is the length of the shortest edge that has one, in degrees.
func shortestEdge(rings polygon) float64 {
	shortest := math.Inf(1)
	for _, ring := range rings {
		for i := 1; i < len(ring); i++ {
			if d := math.Hypot(ring[i][0]-ring[i-1][0], ring[i][1]-ring[i-1][1]); d > 0 {
				shortest = min(shortest, d)
			}
		}
	}
	return shortest
}

// WGS 84.
const (
	semiMajor  = 6378137.0
	flattening = 1 / 298.257223563
)

// ringArea is the area in square metres of a closed ring in degrees on the WGS 84 ellipsoid,
// positive for counter-clockwise rings. It is exact for edges that are straight in the cylindrical
// equal-area projection (Snyder, Map Projections: A Working Manual, 1987, eq. 3-12 and 10-16), which
// for edges of a few pixels is the same as any other straight line.
func ringArea(ring [][2]float64) float64 {
	var sum float64
	for i := 1; i < len(ring); i++ {
		a, b := ring[i-1], ring[i]
		sum -= (b[0] - a[0]) * math.Pi / 180 * (authalic(a[1]) + authalic(b[1]))
	}
	return sum * semiMajor * semiMajor / 4
}

// authalic is Snyder's q of a latitude in degrees.
func authalic(lat float64) float64 {
	const e2 = flattening * (2 - flattening)
	e := math.Sqrt(e2)
	s := math.Sin(lat * math.Pi / 180)
	return (1 - e2) * (s/(1-e2*s*s) - math.Log((1-e*s)/(1+e*s))/(2*e))
}
