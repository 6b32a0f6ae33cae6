package contact

import (
	"math"
	"time"
)

// vector is a place in km.
type vector struct{ x, y, z float64 }

func (a vector) minus(b vector) vector { return vector{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vector) dot(b vector) float64  { return a.x*b.x + a.y*b.y + a.z*b.z }

// turned is a, given in the frame of the stars, in the frame of an Earth that has turned by angle.
func (a vector) turned(angle float64) vector {
	sin, cos := math.Sincos(angle)
	return vector{cos*a.x + sin*a.y, cos*a.y - sin*a.x, a.z}
}

// siderealAngle is Greenwich mean sidereal time in radians, IAU 1982 (Aoki et al., Astronomy and
// Astrophysics 105, 1982), the one that SGP4's frame goes with. UT1 is taken to be UTC: their
// difference is below a second of time, 15" of the Earth's turn.
func siderealAngle(t time.Time) float64 {
	days := float64(t.Unix())/86400 + float64(t.Nanosecond())/86400e9 - 10957.5 // since J2000
	c := days / 36525
	seconds := 67310.54841 + (876600*3600+8640184.812866)*c + 0.093104*c*c - 6.2e-6*c*c*c
	return math.Mod(seconds, 86400) / 86400 * 2 * math.Pi
}

// fixed is the station in the Earth's frame, and what is up there (WGS 84).
func (s Station) fixed() (at, up vector) {
	const radius, flattening = 6378.137, 1 / 298.257223563
	sinLat, cosLat := math.Sincos(s.Latitude * math.Pi / 180)
	sinLon, cosLon := math.Sincos(s.Longitude * math.Pi / 180)
	const e2 = flattening * (2 - flattening)
	n := radius / math.Sqrt(1-e2*sinLat*sinLat)
	h := s.Altitude / 1000
	return vector{(n + h) * cosLat * cosLon, (n + h) * cosLat * sinLon, (n*(1-e2) + h) * sinLat},
		vector{cosLat * cosLon, cosLat * sinLon, sinLat}
}
