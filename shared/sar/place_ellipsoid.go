package sar

import "math"

// WGS 84.
const (
	semiMajor  = 6378137.0
	flattening = 1 / 298.257223563
	semiMinor  = semiMajor * (1 - flattening)
	squareEcc  = flattening * (2 - flattening)
)

// ecef is a place in degrees and metres above the ellipsoid in Earth-fixed coordinates.
func ecef(lat, lon, height float64) [3]float64 {
	sinLat, cosLat := math.Sincos(lat * math.Pi / 180)
	sinLon, cosLon := math.Sincos(lon * math.Pi / 180)
	n := semiMajor / math.Sqrt(1-squareEcc*sinLat*sinLat)
	return [3]float64{(n + height) * cosLat * cosLon, (n + height) * cosLat * sinLon, (n*(1-squareEcc) + height) * sinLat}
}

// geodetic is the inverse of ecef (Bowring 1976, repeated until nothing changes); up is the ellipsoid's normal there.
func geodetic(p [3]float64) (lat, lon, height float64, up [3]float64) {
	const second = squareEcc / (1 - squareEcc)
	flat := math.Hypot(p[0], p[1])
	phi := 0.0
	for beta, turn := math.Atan2(p[2], flat*(1-flattening)), 0; turn < 5; turn++ {
		sin, cos := math.Sincos(beta)
		next := math.Atan2(p[2]+second*semiMinor*sin*sin*sin, flat-squareEcc*semiMajor*cos*cos*cos)
		done := math.Abs(next-phi) < 1e-15
		phi = next
		if done {
			break
		}
		beta = math.Atan2((1-flattening)*math.Sin(phi), math.Cos(phi))
	}
	sin, cos := math.Sincos(phi)
	lambda := math.Atan2(p[1], p[0])
	sinLon, cosLon := math.Sincos(lambda)
	height = flat*cos + p[2]*sin - semiMajor*math.Sqrt(1-squareEcc*sin*sin)
	return phi * 180 / math.Pi, lambda * 180 / math.Pi, height, [3]float64{cos * cosLon, cos * sinLon, sin}
}
