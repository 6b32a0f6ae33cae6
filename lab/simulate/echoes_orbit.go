package simulate

import (
	"math"
	"time"
)

// echoOrbit is a circle about the Earth's middle in the Earth-fixed frame: no satellite flies so, but ranges,
// Doppler frequencies and places go together as they do for one. In the middle of the scene its effective velocity is
// the radar's.
type echoOrbit struct {
	radius, rate float64 // metres, radians a second
	up, along    [3]float64
	middleS      float64 // seconds after the first line when it is at up
	right        bool
	middle       [3]float64 // of the scene
}

// WGS 84.
const (
	earthA = 6378137.0
	earthF = 1 / 298.257223563
)

// newOrbit stands where the scene's middle is seen across the flight, at its range and incidence.
func (g *echoGeometry) newOrbit() *echoOrbit {
	p := g.Place
	lat, lon, heading, incidence := p.Latitude*math.Pi/180, p.Longitude*math.Pi/180, p.HeadingDeg*math.Pi/180, p.IncidenceDeg*math.Pi/180
	up := [3]float64{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
	east := [3]float64{-math.Sin(lon), math.Cos(lon), 0}
	north := cross(up, east)
	flight := sum(scale(north, math.Cos(heading)), scale(east, math.Sin(heading)))
	aside := cross(up, flight) // to the left of the flight
	o := &echoOrbit{right: g.Radar.LookSide != "left"}
	if !o.right {
		aside = scale(aside, -1)
	}
	o.middle = onEllipsoid(lat, lon)
	antenna := sum(o.middle, scale(sum(scale(up, math.Cos(incidence)), scale(aside, math.Sin(incidence))), g.middle))
	o.radius = math.Sqrt(dot(antenna, antenna))
	o.up = scale(antenna, 1/o.radius)
	o.along = direction(cross(antenna, sum(antenna, scale(o.middle, -1))))
	if dot(o.along, flight) < 0 {
		o.along = scale(o.along, -1)
	}
	o.rate = g.Radar.EffectiveVelocityMS / math.Sqrt(dot(antenna, o.middle)) // half the second derivative of the squared range is rate² · antenna · target
	o.middleS = (float64(g.Radar.Lines)/2 + float64(g.rowOffset)) / g.Radar.PRFHz
	if g.Radar.StartTime.IsZero() {
		g.Radar.StartTime = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	}
	g.Radar.StartTime = g.Radar.StartTime.UTC()
	return o
}

// at is where the antenna is, and how fast, seconds after the first line.
func (o *echoOrbit) at(t float64) (position, velocity [3]float64) {
	sin, cos := math.Sincos(o.rate * (t - o.middleS))
	position = scale(sum(scale(o.up, cos), scale(o.along, sin)), o.radius)
	velocity = scale(sum(scale(o.along, cos), scale(o.up, -sin)), o.radius*o.rate)
	return position, velocity
}

// place is where on the ellipsoid something is nearest at a time, at a slant range: Newton's method from the scene's
// middle. Its rows are range, Doppler and ellipsoid (Curlander and McDonough 1991, section 8.2).
func (o *echoOrbit) place(t, slant float64) (lat, lon float64, ok bool) {
	p, v := o.at(t)
	x := o.middle
	b2 := earthA * (1 - earthF) * earthA * (1 - earthF)
	for range 30 {
		d := sum(x, scale(p, -1))
		f := [3]float64{dot(d, d) - slant*slant, dot(d, v), (x[0]*x[0]+x[1]*x[1])/(earthA*earthA) + x[2]*x[2]/b2 - 1}
		rows := [3][3]float64{scale(d, 2), v, {2 * x[0] / (earthA * earthA), 2 * x[1] / (earthA * earthA), 2 * x[2] / b2}}
		determinant := dot(rows[0], cross(rows[1], rows[2]))
		if determinant == 0 {
			return 0, 0, false
		}
		step := scale(sum(sum(scale(cross(rows[1], rows[2]), f[0]), scale(cross(rows[2], rows[0]), f[1])), scale(cross(rows[0], rows[1]), f[2])), 1/determinant)
		x = sum(x, scale(step, -1))
		if dot(step, step) < 1e-12 {
			lat, lon = geodetic(x)
			right := dot(cross(v, p), sum(x, scale(p, -1))) > 0
			return lat, lon, right == o.right
		}
	}
	return 0, 0, false
}

func onEllipsoid(lat, lon float64) [3]float64 {
	e2 := earthF * (2 - earthF)
	n := earthA / math.Sqrt(1-e2*math.Sin(lat)*math.Sin(lat))
	return [3]float64{n * math.Cos(lat) * math.Cos(lon), n * math.Cos(lat) * math.Sin(lon), n * (1 - e2) * math.Sin(lat)}
}

// geodetic is the inverse of onEllipsoid, for what is on it, in degrees.
func geodetic(x [3]float64) (lat, lon float64) {
	e2 := earthF * (2 - earthF)
	return math.Atan2(x[2], math.Hypot(x[0], x[1])*(1-e2)) * 180 / math.Pi, math.Atan2(x[1], x[0]) * 180 / math.Pi
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func sum(a, b [3]float64) [3]float64 { return [3]float64{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

func scale(a [3]float64, f float64) [3]float64 { return [3]float64{a[0] * f, a[1] * f, a[2] * f} }

func direction(a [3]float64) [3]float64 { return scale(a, 1/math.Sqrt(dot(a, a))) }
