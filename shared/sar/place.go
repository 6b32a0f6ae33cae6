package sar

import (
	"errors"
	"fmt"
	"math"
)

// Geometry is where the pixels of an acquisition's image lie on the Earth. A pixel's middle is a whole number: row
// r is the zero-Doppler time (r + RowOffset)/PRF after the first line, column c the slant range of closest approach.
// Pixels between, and beside the image, have places too as far as the orbit serves.
//
// The place of a pixel is where three surfaces meet: the sphere of its slant range around the antenna, the plane of
// zero Doppler, and the WGS 84 ellipsoid at a height (Curlander and McDonough 1991, section 8.2). In an Earth-fixed
// frame the plane is that of right angles to the antenna's velocity.
type Geometry struct {
	orbit                 *Orbit
	start                 float64 // of row 0, in the orbit's seconds
	prf                   float64
	wavelength            float64
	firstRange, rangeStep float64
	side                  float64 // 1 to the right of the flight, -1 to the left
	lines, samples        int
}

// ErrNotSeen says that a place is none of those that the antenna saw.
var ErrNotSeen = errors.New("it is not seen")

// NewGeometry is the geometry of an acquisition whose rows have an offset (Plan.RowOffset). ErrNoOrbit where its
// parameters have no orbit; other errors name the parameter.
func NewGeometry(p Params, rowOffset int) (*Geometry, error) {
	o, err := NewOrbit(p.Orbit)
	if err != nil {
		return nil, err
	}
	g := &Geometry{orbit: o, prf: p.PRFHz, lines: p.Lines, samples: p.Samples, firstRange: p.FirstSampleSlantRangeM}
	light := p.SpeedOfLightMS
	if light == 0 {
		light = 299_792_458
	}
	g.rangeStep, g.wavelength = light/(2*p.SamplingHz), light/p.CarrierHz
	switch {
	case p.StartTime.IsZero():
		return nil, errors.New("start_time is missing: without the time of the first line its orbit places nothing")
	case p.LookSide == "right":
		g.side = 1
	case p.LookSide == "left":
		g.side = -1
	case p.LookSide == "":
		return nil, errors.New("look_side is missing: right or left of the flight")
	default:
		return nil, fmt.Errorf("look_side is %.20q, not right or left", p.LookSide)
	}
	for _, number := range []struct {
		name  string
		value float64
	}{{"prf_hz", p.PRFHz}, {"carrier_hz", p.CarrierHz}, {"sampling_hz", p.SamplingHz}, {"first_sample_slant_range_m", p.FirstSampleSlantRangeM}, {"lines", float64(p.Lines)}, {"samples", float64(p.Samples)}} {
		if !(number.value > 0) || math.IsInf(number.value, 0) {
			return nil, fmt.Errorf("%s is %v; it must be above 0", number.name, number.value)
		}
	}
	g.start = o.since(p.StartTime) + float64(rowOffset)/p.PRFHz
	from, to := o.limits()
	for _, row := range []float64{0, float64(p.Lines - 1)} {
		if s := g.seconds(row); !(s >= from && s <= to) {
			return nil, fmt.Errorf("row %.0f: %w", row, o.outside(s))
		}
	}
	return g, nil
}

// Geometry is that of the plan's image.
func (p *Plan) Geometry() (*Geometry, error) { return NewGeometry(p.Params, p.RowOffset) }

// Size is that of the image.
func (g *Geometry) Size() (lines, samples int) { return g.lines, g.samples }

func (g *Geometry) seconds(row float64) float64 { return g.start + row/g.prf }

// Place is the latitude and longitude, in degrees, of what a pixel shows of the ground at so many metres above
// the ellipsoid.
func (g *Geometry) Place(row, col, height float64) (lat, lon float64, err error) {
	at, _, _, err := g.ground(row, col, height)
	if err != nil {
		return 0, 0, fmt.Errorf("place row %.6g, column %.6g: %w", row, col, err)
	}
	lat, lon, _, _ = geodetic(at)
	return lat, lon, nil
}

// ground is the point of a pixel, the ellipsoid's normal there, and where the antenna was.
func (g *Geometry) ground(row, col, height float64) (at, up, antenna [3]float64, err error) {
	s := g.seconds(row)
	if from, to := g.orbit.limits(); !(s >= from && s <= to) {
		return at, up, antenna, g.orbit.outside(s)
	}
	distance := g.firstRange + col*g.rangeStep
	p, v, _ := g.orbit.at(s)
	forward := scaled(v, 1/norm(v))
	aside := cross(v, p)
	if aside = scaled(aside, g.side/norm(aside)); aside[0]-aside[0] != 0 {
		return at, up, antenna, errors.New("orbit: the antenna moves straight up or down")
	}
	down := cross(forward, aside)
	if dot(down, p) > 0 {
		down = scaled(down, -1)
	}

	// The angle from down: that of a sphere as large as the Earth is here, then Newton's way to the ellipsoid.
	r := norm(p)
	below, sinLat := 0.0, p[2]/r
	below = semiMinor/math.Sqrt(1-squareEcc*(1-sinLat*sinLat)) + height
	altitude := r - below
	if !(distance > 0) || !(altitude > 0) || distance*distance > r*r-(semiMinor+height)*(semiMinor+height) {
		return at, up, antenna, fmt.Errorf("%w: the slant range %.0f m reaches behind the horizon of an antenna at %.0f m of height", ErrNotSeen, distance, altitude)
	}
	cosine := (altitude*(r+below) + distance*distance) / (2 * r * distance) // r² - below² without the loss of digits
	angle := math.Acos(min(cosine, 1-1e-6))
	for range 30 {
		sin, cos := math.Sincos(angle)
		var slope [3]float64
		for axis := range 3 {
			at[axis] = p[axis] + distance*(cos*down[axis]+sin*aside[axis])
			slope[axis] = distance * (cos*aside[axis] - sin*down[axis])
		}
		var h float64
		_, _, h, up = geodetic(at)
		off, rate := h-height, dot(slope, up)
		if math.Abs(off) < 1e-6 {
			if !(dot(minus(p, at), up) > 0) {
				return at, up, antenna, fmt.Errorf("%w: the slant range %.0f m reaches behind the horizon", ErrNotSeen, distance)
			}
			return at, up, p, nil
		}
		angle = min(max(angle-off/rate, angle/10), (angle+math.Pi/2)/2)
	}
	return at, up, antenna, fmt.Errorf("%w: the slant range %.0f m does not reach the ground below an antenna at %.0f m of height", ErrNotSeen, distance, altitude)
}

// Pixel is where a place is in the image: the inverse of Place. ErrNotSeen for what the antenna's track does not
// pass within the orbit's span, and for what lies on the other side of it.
func (g *Geometry) Pixel(lat, lon, height float64) (row, col float64, err error) {
	if !(math.Abs(lat) <= 90) || lon-lon != 0 || math.Abs(lon) > 1e4 || !(math.Abs(height) < 1e5) {
		return 0, 0, fmt.Errorf("latitude %v, longitude %v, height %v is no place", lat, lon, height)
	}
	target := ecef(lat, lon, height)
	from, to := g.orbit.limits()
	s := g.seconds(float64(g.lines-1) / 2)
	for range 30 {
		p, v, a := g.orbit.at(s)
		los := minus(p, target)
		step := dot(los, v) / (dot(v, v) + dot(los, a))
		if math.Abs(step) < 1e-10 {
			if s < from || s > to {
				break
			}
			if g.side*dot(minus(target, p), cross(v, p)) < 0 {
				return 0, 0, fmt.Errorf("%w: latitude %.6g, longitude %.6g lies on the other side of the track", ErrNotSeen, lat, lon)
			}
			if up := scaled(target, 1/norm(target)); dot(los, up) < 0 {
				return 0, 0, fmt.Errorf("%w: latitude %.6g, longitude %.6g lies behind the horizon", ErrNotSeen, lat, lon)
			}
			return (s - g.start) * g.prf, (norm(los) - g.firstRange) / g.rangeStep, nil
		}
		// A step beyond the orbit's span ends at its rim: polynomials lead anywhere out there.
		if next := min(max(s-step, from), to); next != s {
			s = next
			continue
		}
		break
	}
	return 0, 0, fmt.Errorf("%w: the antenna does not pass latitude %.6g, longitude %.6g within the orbit's span", ErrNotSeen, lat, lon)
}
