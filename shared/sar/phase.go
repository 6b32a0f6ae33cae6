package sar

import (
	"math"

	"cloudcanvas/shared/fft"
)

// about is the phase k/2·(t0 + i·dt)² in cycles: that of a chirp of rate k.
func about(k, t0, dt float64) fft.Phase {
	return fft.Phase{A: k / 2 * t0 * t0, B: k * t0 * dt, C: k / 2 * dt * dt}
}

// phases are the three that a line of the range-Doppler domain is multiplied by: before, between and after the
// transforms in range. The index of between is that of the signed frequency.
func (g *geometry) phases(f float64, width, rowOffset int) (scale, filter, rest fft.Phase) {
	d := g.migration(f)
	km := g.rate(g.middle, f)
	dt := 1 / g.sampling
	// (7.30) with the reference at zero Doppler.
	scale = about(km*(1/d-1), g.delay-2*g.middle/(g.light*d), dt)
	// (7.32), the second and third factor: compression with secondary compression, and bulk migration.
	df := g.sampling / float64(width)
	filter = about(d/km, 0, df)
	filter.B += float64((float64(2/g.light*(1/d-1)*g.middle) + g.shift) * df)
	// (7.32), the first and last: azimuth compression without the carrier's phase, what scaling left, the offset.
	rest = about(-4*km/(g.light*g.light)*(1-d)/(d*d), g.first-g.middle, g.step)
	k := 2 * g.carrier * (d - 1) / g.light
	rest.A += float64(k*g.first) + f*float64(rowOffset)/g.prf + 1./8 - math.Copysign(1./8, g.chirp)
	rest.B += float64(k * g.step)
	return scale, filter, rest
}
