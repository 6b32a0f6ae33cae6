package sar

import (
	"fmt"
	"math"
)

// geometry is what the formulas need of a plan, in double precision. All frequencies of azimuth are absolute.
//
// A product that is added to something stands in float64(): Go may fuse the two on some processors and not on others,
// and an image is the same bits on all of them.
type geometry struct {
	light, carrier, velocity float64
	prf, sampling, chirp     float64 // chirp is the rate in hertz a second
	delay                    float64 // of the first sample, as that of the middle of an echo
	shift                    float64 // of the image against the samples, in seconds: half a pulse where it is referred to its start
	first, step              float64 // slant range of the first column, and from column to column
	middle                   float64 // the reference range
	centroid                 float64
	columns                  int
}

func (p *Params) geometry(centroid float64) geometry {
	g := geometry{
		light: p.light(), carrier: p.CarrierHz, velocity: p.EffectiveVelocityMS,
		prf: p.PRFHz, sampling: p.SamplingHz, chirp: p.ChirpRateHzS,
		first: p.FirstSampleSlantRangeM, step: p.light() / (2 * p.SamplingHz),
		centroid: centroid, columns: p.Samples,
	}
	g.delay = 2 * g.first / g.light
	if p.PulseReference == "start" {
		g.shift = p.ChirpS / 2
	}
	g.delay -= g.shift
	g.middle = p.RangeM(float64(p.Samples-1) / 2)
	return g
}

// withVelocity are the parameters with the effective velocity of the orbit where none is given.
func (p Params) withVelocity(centroid float64) (Params, error) {
	if p.EffectiveVelocityMS != 0 {
		return p, nil
	}
	middle, offset := float64(p.Samples-1)/2, 0
	for range 3 { // with squint, where the ground is nearest depends on the velocity, though little
		at, err := NewGeometry(p, offset)
		if err != nil {
			return p, fmt.Errorf("effective_velocity_m_s is missing, and: %w", err)
		}
		if p.EffectiveVelocityMS, err = at.EffectiveVelocity(middle, centroid); err != nil {
			return p, err
		}
		g := p.geometry(centroid)
		offset = g.rowOffset()
	}
	return p, p.Check()
}

// rowOffset is by how many lines the middle of the beam sees the ground after its closest approach, the other way
// round: see Plan.
func (g *geometry) rowOffset() int { return int(math.Round(-g.lag(g.middle, g.centroid))) }

// migration is D, the cosine of the angle off broadside at a Doppler frequency (7.17).
func (g *geometry) migration(f float64) float64 {
	sine := g.light * f / (2 * g.velocity * g.carrier)
	return math.Sqrt(max(1-float64(sine*sine), 1e-3))
}

// lag is how many lines after its closest approach a point at a range is seen at a Doppler frequency.
func (g *geometry) lag(r, f float64) float64 {
	return -r * g.light * f / (2 * g.velocity * g.velocity * g.carrier * g.migration(f)) * g.prf
}

// rate is Km: the chirp's rate in the range-Doppler domain, with the coupling of range and azimuth (7.18).
func (g *geometry) rate(r, f float64) float64 {
	d := g.migration(f)
	z := g.light * r * f * f / (2 * g.velocity * g.velocity * g.carrier * g.carrier * g.carrier * d * d * d)
	return g.chirp / (1 - float64(g.chirp*z))
}

// frequency is the absolute Doppler frequency of a bin of n, within half a PRF of the centroid.
func (g *geometry) frequency(bin, n int) float64 {
	f := float64(float64(bin) / float64(n) * g.prf)
	return f + float64(math.Round((g.centroid-f)/g.prf)*g.prf)
}

// phaseError is by how many radians, at the ends of the two bands and of the swath, the phases are off what a point
// has there: chirp scaling takes the coupling of range and azimuth at the reference range for that of all ranges,
// and leaves out the third order in the range frequency.
func (g *geometry) phaseError(band float64) float64 {
	worst := 0.
	far := g.first + g.step*float64(g.columns)
	for _, f := range []float64{g.centroid - g.prf/2, g.centroid + g.prf/2} {
		d := g.migration(f)
		for _, r := range []float64{g.first, far} {
			coupling := math.Abs(1/g.rate(r, f) - 1/g.rate(g.middle, f)) // in 1/(Hz/s)
			x := (r - g.middle) / d
			left := 4 * math.Pi / (g.light * g.light) * math.Abs(g.rate(r, f)-g.rate(g.middle, f)) * (1 - d) * x * x
			third := 2 * math.Pi * r / g.light * (1 - d*d) / (g.carrier * g.carrier) / math.Pow(d, 5) * math.Pow(band/2, 3)
			worst = max(worst, math.Pi*coupling*band*band/4+left+third)
		}
	}
	return worst
}
