package sar

import (
	"fmt"
	"math"
)

// EffectiveVelocity is the speed Vr of the hyperbola R(η)² = R0² + Vr² η² that fits the way of a point on the
// ground best (Cumming and Wong 2005, section 4.3): the true range history, of the orbit and the turning Earth,
// over as much of it as one PRF of Doppler frequencies around the centroid takes and the orbit has. The point is the one that is
// nearest to the antenna in the middle of the image's rows, at the slant range of a column. It holds the whole
// chain to the orbit: Vr changes along a wide swath, by some 0.1 % in 50 km from 800 km of height.
func (g *Geometry) EffectiveVelocity(col, centroidHz float64) (float64, error) {
	row := float64(g.lines-1) / 2
	lat, lon, err := g.Place(row, col, 0)
	if err != nil {
		return 0, fmt.Errorf("effective_velocity_m_s is to be that of the orbit: %w", err)
	}
	target := ecef(lat, lon, 0)
	t0 := g.seconds(row)
	p, v, a := g.orbit.at(t0)
	r0, los := norm(minus(p, target)), minus(p, target)
	vr := math.Sqrt(dot(v, v) + dot(los, a)) // half the second derivative of R² at the nearest point

	// Of a hyperbola: the Doppler frequency is -2/λ dR/dη, and its rate -2/λ d²R/dη².
	sine := -g.wavelength * centroidHz / (2 * vr)
	if !(math.Abs(sine) < 0.9) {
		return 0, fmt.Errorf("doppler_centroid_hz: %.6g Hz is more than an antenna at %.0f m/s can see at a wavelength of %.4g m", centroidHz, vr, g.wavelength)
	}
	cosine := math.Sqrt(1 - sine*sine)
	middle := r0 * sine / (cosine * vr)
	half := g.prf * g.wavelength * r0 / (4 * vr * vr * cosine * cosine * cosine)
	from, to := g.orbit.limits()
	if from, to = max(from, t0+middle-half), min(to, t0+middle+half); to-from < half {
		return vr, nil // the orbit has no more to say of that part of the way
	}
	middle, half = (from+to)/2-t0, (to-from)/2

	const n = 65
	mean := 0.0
	for i := range n {
		x := 2*float64(i)/(n-1) - 1
		mean += x * x / n
	}
	var sum, squares float64 // of R² over x² - its mean, which is orthogonal to 1 and x
	for i := range n {
		x := 2*float64(i)/(n-1) - 1
		p, _, _ := g.orbit.at(t0 + middle + x*half)
		d := minus(p, target)
		q := x*x - mean
		sum += q * (dot(d, d) - r0*r0)
		squares += q * q
	}
	square := sum / squares / (half * half)
	if !(square > minSpeed*minSpeed && square < maxSpeed*maxSpeed) {
		return 0, fmt.Errorf("effective_velocity_m_s is to be that of the orbit, by which its square would be %.6g; give it", square)
	}
	return math.Sqrt(square), nil
}
