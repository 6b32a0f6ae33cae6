package sar

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/cmplx"
	"runtime"

	"cloudcanvas/shared/fft"
)

// stands is by how many times its noise a correlation must stand out to be believed.
const stands = 6

// ambiguity finds by how many PRFs the centroid lies off its baseband.
//
// Range looks: the Doppler frequency of the beam's middle is proportional to the frequency sent, so that the phase
// from line to line differs between the upper and the lower half of the band in range (12.5, MLCC). That needs no
// contrast but long sums; it is where the search begins.
//
// Azimuth looks: focused with a wrong ambiguity, the range migration that is left shifts what the early and the late
// half of the aperture see against each other in range, by the same number of samples for each PRF. The correlation
// of their intensities says how much. It needs something that stands out of the speckle.
func (s *survey) ambiguity(ctx context.Context, base float64) (Centroid, error) {
	p := &s.params
	guess, clarity, err := s.rangeLooks(ctx)
	if err != nil {
		return Centroid{}, err
	}
	at := func(n int) float64 { return base + float64(n)*p.PRFHz }
	n := int(math.Round((guess - base) / p.PRFHz))
	most := int(maxSine*2*p.EffectiveVelocityMS/p.Wavelength()/p.PRFHz) - 1
	n = max(-most, min(n, most))
	tried := map[int]bool{}
	for !tried[n] {
		tried[n] = true
		shift, clarity, err := s.azimuthLooks(ctx, at(n))
		if err != nil {
			return Centroid{}, err
		}
		if clarity < stands {
			break
		}
		step := s.shiftPerPRF(at(n))
		if math.Abs(step) < 0.4 {
			break // too little migration to tell one from the next
		}
		by := int(math.Round(shift / step))
		if by == 0 {
			c := p.split(at(n), "estimated")
			c.By, c.Clarity = "azimuth looks", clarity
			return c, nil
		}
		n = max(-most, min(n+by, most))
	}
	n = int(math.Round((guess - base) / p.PRFHz))
	if clarity < stands || max(n, -n) > most {
		return Centroid{}, errors.New("doppler_centroid_hz is missing, and its ambiguity can't be told from the echoes: nothing stands out in them, and they are too few: give it")
	}
	c := p.split(at(n), "estimated")
	c.By, c.Clarity = "range looks", clarity
	return c, nil
}

// rangeLooks is the absolute centroid by the phase from line to line at the two ends of the band in range, and by
// how many times its noise half a PRF stands out.
func (s *survey) rangeLooks(ctx context.Context) (hz, clarity float64, err error) {
	p := &s.params
	width := fft.Good(p.Samples)
	t, err := fft.NewPlan(width)
	if err != nil {
		return 0, 0, err
	}
	var lag [2]complex128
	var power [2]float64
	const half = 0.5 // of the band, between the centres of the looks
	edge := p.Bandwidth() / p.SamplingHz * float64(width) / 2
	for i := range s.from {
		patch, err := s.read(ctx, i)
		if err != nil {
			return 0, 0, err
		}
		spectra := make([]complex64, s.lines*width)
		for r := range s.lines {
			copy(spectra[r*width:], patch[r*p.Samples:(r+1)*p.Samples])
		}
		t.Rows(spectra, width, s.lines, false, runtime.GOMAXPROCS(0))
		for r := range s.lines - 1 {
			a, b := spectra[r*width:(r+1)*width], spectra[(r+1)*width:(r+2)*width]
			for k := 1; k < int(edge); k++ {
				for look, bin := range [2]int{width - k, k} {
					x, y := complex128(a[bin]), complex128(b[bin])
					lag[look] += y * cmplx.Conj(x)
					power[look] += real(x)*real(x) + imag(x)*imag(x)
				}
			}
		}
	}
	apart := half * p.Bandwidth()
	if power[0] == 0 || power[1] == 0 || lag[0] == 0 {
		return 0, 0, nil
	}
	scale := p.CarrierHz * p.PRFHz / (2 * math.Pi * apart)
	hz = scale * cmplx.Phase(lag[1]*cmplx.Conj(lag[0]))
	n := float64(s.lines*len(s.from)) * float64(p.Samples) * p.Bandwidth() / p.SamplingHz / 2
	coherence := cmplx.Abs(lag[0]+lag[1]) / (power[0] + power[1])
	// The phase of a sum of n has a deviation of √((1-γ²)/(2γ²n)); two are taken off each other.
	noise := scale * math.Sqrt((1-min(coherence*coherence, 1))/(coherence*coherence*n))
	return hz, p.PRFHz / 2 / noise, nil
}

// looksApart is the distance of the centres of the azimuth looks in PRFs; each is as wide.
const looksApart = 0.4

// shiftPerPRF is by how many samples the looks are shifted for each PRF that the centroid is off.
func (s *survey) shiftPerPRF(hz float64) float64 {
	g := s.params.geometry(hz)
	apart := func(f float64) float64 { // of the looks' ranges, in samples
		return g.middle / g.step * (1/g.migration(f+looksApart/2*g.prf) - 1/g.migration(f-looksApart/2*g.prf))
	}
	return apart(hz+g.prf) - apart(hz)
}

// azimuthLooks focuses each stretch with a centroid and says by how many samples the late look lies behind the
// early one, and how clearly.
func (s *survey) azimuthLooks(ctx context.Context, hz float64) (shift, clarity float64, err error) {
	const most = 160 // samples, either way
	var curve [2*most + 1]float64
	for i := range s.from {
		patch, err := s.read(ctx, i)
		if err != nil {
			return 0, 0, err
		}
		looks, width, err := s.looks(ctx, patch, hz)
		if err != nil {
			return 0, 0, err
		}
		rows := len(looks[0]) / width
		for r := range rows {
			a, b := looks[0][r*width:(r+1)*width], looks[1][r*width:(r+1)*width]
			for d := -most; d <= most; d++ {
				var sum float32
				for c := max(0, -d); c < min(width, width-d); c++ {
					sum += a[c] * b[c+d]
				}
				curve[d+most] += float64(sum)
			}
		}
	}
	best := 0
	for i, v := range curve {
		if v > curve[best] {
			best = i
		}
	}
	// Its noise is what the curve does far from the peak.
	var mean, square, n float64
	for i, v := range curve {
		if max(i-best, best-i) > most/8 {
			mean, square, n = mean+v, square+v*v, n+1
		}
	}
	mean /= n
	deviation := math.Sqrt(max(square/n-mean*mean, 0))
	if deviation == 0 {
		return 0, 0, nil
	}
	return float64(best - most), (curve[best] - mean) / deviation, ctx.Err()
}

// looks are the amplitudes of the early and the late look of a focused stretch, less their mean along each column
// and row: what stands out.
func (s *survey) looks(ctx context.Context, patch []complex64, hz float64) (looks [2][]float32, width int, err error) {
	p := &s.params
	plan := &Plan{Params: *p, Centroid: p.split(hz, "")}
	g := p.geometry(hz)
	plan.RowOffset = g.rowOffset()
	f := plan.focuser(Block{Lines: fft.Good(s.lines), Rows: s.lines}, nil)
	for r := range s.lines {
		copy(f.data[r*f.width:], patch[r*p.Samples:(r+1)*p.Samples])
	}
	if err := f.run(ctx); err != nil {
		return looks, 0, fmt.Errorf("estimate the Doppler centroid: %w", err)
	}
	lines, threads := f.block.Lines, runtime.GOMAXPROCS(0)
	t, err := fft.NewPlan(lines)
	if err != nil {
		return looks, 0, err
	}
	from, to := int(p.ChirpS/2*p.SamplingHz), p.Samples-int(p.ChirpS/2*p.SamplingHz)
	width = to - from
	spectrum := make([]complex64, lines*width)
	for r := range lines {
		copy(spectrum[r*width:(r+1)*width], f.data[r*f.width+from:])
	}
	t.Columns(spectrum, width, width, false, threads)
	for i := range looks {
		look := f.data[:lines*width]
		clear(look)
		centre := hz + (float64(i)-0.5)*looksApart*p.PRFHz
		for k := range lines {
			if math.Abs(g.frequency(k, lines)-centre) <= looksApart/2*p.PRFHz {
				copy(look[k*width:], spectrum[k*width:(k+1)*width])
			}
		}
		t.Columns(look, width, width, true, threads)
		looks[i] = make([]float32, s.lines*width)
		for j := range looks[i] {
			looks[i][j] = float32(cmplx.Abs(complex128(look[j])))
		}
	}
	for _, look := range looks {
		flatten(look, width)
	}
	return looks, width, nil
}

// flatten takes the mean of each row and each column away, as it changes slowly.
func flatten(look []float32, width int) {
	rows := len(look) / width
	for r := range rows {
		row := look[r*width : (r+1)*width]
		var sum float32
		for _, v := range row {
			sum += v
		}
		for c := range row {
			row[c] -= sum / float32(width)
		}
	}
	sums := make([]float32, width)
	for r := range rows {
		for c, v := range look[r*width : (r+1)*width] {
			sums[c] += v
		}
	}
	for r := range rows {
		for c := range sums {
			look[r*width+c] -= sums[c] / float32(rows)
		}
	}
}
