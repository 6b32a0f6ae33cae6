package sar

import "math"

// quadratic is a phase in cycles that is quadratic in an index: a + b·i + c·i².
type quadratic struct{ a, b, c float64 }

// reseed is after how many samples a phase is computed afresh: between, it is multiplied up in double precision.
const reseed = 256

// turn multiplies x by exp(2πj(a + b·i + c·i²)), where i is first for x[0].
func (q quadratic) turn(x []complex64, first int) {
	for at := 0; at < len(x); at += reseed {
		part := x[at:min(at+reseed, len(x))]
		i := float64(first + at)
		w := cycle(q.a + i*(q.b+q.c*i))
		step := cycle(q.b + q.c*(2*i+1))
		twice := cycle(2 * q.c)
		for k, v := range part {
			r, m := real(w), imag(w)
			a, b := float64(real(v)), float64(imag(v))
			part[k] = complex(float32(a*r-b*m), float32(a*m+b*r))
			w *= step
			step *= twice
		}
	}
}

// cycle is exp(2πjx); whole cycles are taken off first.
func cycle(x float64) complex128 {
	s, c := math.Sincos(2 * math.Pi * (x - math.Round(x)))
	return complex(c, s)
}

// about is the phase k/2·(t0 + i·dt)² in cycles: that of a chirp of rate k.
func about(k, t0, dt float64) quadratic {
	return quadratic{k / 2 * t0 * t0, k * t0 * dt, k / 2 * dt * dt}
}

func (q quadratic) plus(o quadratic) quadratic { return quadratic{q.a + o.a, q.b + o.b, q.c + o.c} }

// phases are the three that a line of the range-Doppler domain is multiplied by: before, between and after the
// transforms in range. The index of between is that of the signed frequency.
func (g *geometry) phases(f float64, width, rowOffset int) (scale, filter, rest quadratic) {
	d := g.migration(f)
	km := g.rate(g.middle, f)
	dt := 1 / g.sampling
	// (7.30) with the reference at zero Doppler.
	scale = about(km*(1/d-1), g.delay-2*g.middle/(g.light*d), dt)
	// (7.32), the second and third factor: compression with secondary compression, and bulk migration.
	df := g.sampling / float64(width)
	filter = about(d/km, 0, df)
	filter.b += (2/g.light*(1/d-1)*g.middle + g.shift) * df
	// (7.32), the first and last: azimuth compression without the carrier's phase, what scaling left, the offset.
	rest = about(-4*km/(g.light*g.light)*(1-d)/(d*d), g.first-g.middle, g.step)
	k := 2 * g.carrier * (d - 1) / g.light
	rest = rest.plus(quadratic{k*g.first + f*float64(rowOffset)/g.prf + 1./8 - math.Copysign(1./8, g.chirp), k * g.step, 0})
	return scale, filter, rest
}
