package raster

import "math"

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
