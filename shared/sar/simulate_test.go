package sar

import (
	"encoding/binary"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

// cBand is a short cut of an acquisition like that of RADARSAT-1.
func cBand(centroid float64) Params {
	p := Defaults()
	p.Data, p.Format = "points.cf32", CF32
	p.Lines, p.Samples = 2048, 3000
	p.CarrierHz, p.PRFHz, p.SamplingHz = 5.3e9, 1257, 32.317e6
	p.ChirpRateHzS, p.ChirpS = -0.72135e12, 41.75e-6
	p.FirstSampleSlantRangeM, p.EffectiveVelocityMS = 988647, 7062
	p.DopplerCentroidHz = &centroid
	return p
}

// xBand is the same in the X band, with a faster chirp that rises.
func xBand(centroid float64) Params {
	p := cBand(centroid)
	p.CarrierHz, p.SamplingHz, p.ChirpRateHzS, p.ChirpS = 9.65e9, 110e6, 5e12, 20e-6
	p.Samples, p.FirstSampleSlantRangeM = 4096, 620000
	return p
}

// point is a point target: its range of closest approach, and the line of that, both as one may choose.
type point struct{ rangeM, line float64 }

// simulate are the echoes of points, all of amplitude 1, seen in a sharp Doppler band around the centroid.
func simulate(p Params, band float64, points ...point) []complex128 {
	out := make([]complex128, p.Lines*p.Samples)
	c, v, lambda := p.light(), p.EffectiveVelocityMS, p.Wavelength()
	first, dt := 2*p.FirstSampleSlantRangeM/c, 1/p.SamplingHz
	late := 0.
	if p.PulseReference == "start" {
		late = p.ChirpS / 2
	}
	for _, t := range points {
		for line := range p.Lines {
			x := v * (float64(line) - t.line) / p.PRFHz
			r := math.Hypot(t.rangeM, x)
			if f := -2 * v * x / (lambda * r); math.Abs(f-*p.DopplerCentroidHz) > band/2 {
				continue
			}
			delay := 2*r/c + late
			from := max(0, int(math.Ceil((delay-p.ChirpS/2-first)/dt)))
			for i := from; i < p.Samples; i++ {
				u := first + float64(i)*dt - delay
				if u > p.ChirpS/2 {
					break
				}
				out[line*p.Samples+i] += complex128(cycle(p.ChirpRateHzS/2*u*u - 2*r/lambda))
			}
		}
	}
	return out
}

func noise(p Params, seed uint64) []complex128 {
	random := rand.New(rand.NewPCG(seed, 1))
	out := make([]complex128, p.Lines*p.Samples)
	for i := range out {
		out[i] = complex(random.NormFloat64(), random.NormFloat64())
	}
	return out
}

func asCF32(x []complex128) []byte {
	raw := make([]byte, 0, 8*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(real(v))))
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(imag(v))))
	}
	return raw
}

// focusAll makes the whole image of lines, block by block.
func focusAll(t testing.TB, plan *Plan, raw []byte) *Image {
	t.Helper()
	whole := &Image{Rows: plan.Params.Lines, Cols: plan.Params.Samples}
	line := plan.Params.Samples * plan.Params.Format.Bytes()
	for _, b := range plan.Blocks {
		from, n := plan.Stored(b)
		im, err := plan.Focus(t.Context(), b, raw[from*line:(from+n)*line], nil)
		if err != nil {
			t.Fatal(err)
		}
		whole.Pix = append(whole.Pix, im.Pix...)
	}
	return whole
}

// probe interpolates an image around a place, with the spectrum where it lies.
type probe struct {
	im           *Image
	rowHz, colHz float64 // centre of the spectrum in cycles a row and a column
}

const taps = 96

func tap(x float64) float64 {
	if math.Abs(x) >= taps {
		return 0
	}
	w := bessel(8*math.Sqrt(1-x*x/taps/taps)) / bessel(8)
	if x == 0 {
		return 1
	}
	return w * math.Sin(math.Pi*x) / (math.Pi * x)
}

// inRange interpolates along the range at a row, inAzimuth along the azimuth at a column; x is samples from col or
// row. The other direction is interpolated once.
func (q probe) inRange(row, col float64) func(x float64) complex128 {
	c0, r0 := int(col), int(math.Floor(row))
	line := make([]complex128, q.im.Cols)
	for c := max(0, c0-2*taps); c < min(q.im.Cols, c0+2*taps); c++ {
		for r := max(0, r0-taps+1); r <= min(q.im.Rows-1, r0+taps); r++ {
			line[c] += complex(tap(row-float64(r)), 0) * complex128(q.im.Pix[r*q.im.Cols+c]) * cycle(q.rowHz*(row-float64(r)))
		}
	}
	return func(x float64) complex128 { return along(line, col+x, q.colHz) }
}

func (q probe) inAzimuth(row, col float64) func(x float64) complex128 {
	c0, r0 := int(math.Floor(col)), int(row)
	line := make([]complex128, q.im.Rows)
	for r := max(0, r0-2*taps); r < min(q.im.Rows, r0+2*taps); r++ {
		line[r] = along128(q.im.Pix[r*q.im.Cols:(r+1)*q.im.Cols], c0, col, q.colHz)
	}
	return func(x float64) complex128 { return along(line, row+x, q.rowHz) }
}

func along(line []complex128, at, hz float64) (sum complex128) {
	for i := max(0, int(math.Floor(at))-taps+1); i <= min(len(line)-1, int(math.Floor(at))+taps); i++ {
		sum += complex(tap(at-float64(i)), 0) * line[i] * cycle(hz*(at-float64(i)))
	}
	return sum
}

func along128(line []complex64, i0 int, at, hz float64) (sum complex128) {
	for i := max(0, i0-taps+1); i <= min(len(line)-1, i0+taps); i++ {
		sum += complex(tap(at-float64(i)), 0) * complex128(line[i]) * cycle(hz*(at-float64(i)))
	}
	return sum
}

// cut are the levels along a line through a place, relative to it.
type cut struct{ irw, pslr, islr, peak float64 }

// measure looks along one direction: at(x) is the response x samples from the place.
func measure(at func(x float64) complex128, width float64) (m cut) {
	const step = 1. / 32
	level := func(x float64) float64 { return cmplx.Abs(at(x)) }
	best, top := 0., 0.
	for x := -1.5; x <= 1.5; x += step / 2 {
		if v := level(x); v > top {
			best, top = x, v
		}
	}
	m.peak = best
	edge := func(sign float64) float64 {
		x := step
		for level(best+sign*x) > top/math.Sqrt2 {
			x += step
		}
		low, high := x-step, x
		for range 30 {
			if mid := (low + high) / 2; level(best+sign*mid) > top/math.Sqrt2 {
				low = mid
			} else {
				high = mid
			}
		}
		return low
	}
	m.irw = edge(1) + edge(-1)
	// The main lobe of a sinc ends at its first zero, at width/0.886; side lobes are looked at up to the tenth.
	null := width / 0.8859
	var inside, outside, side float64
	for x := -10 * null; x <= 10*null; x += step {
		v := level(best + x)
		if math.Abs(x) <= null {
			inside += v * v
		} else {
			outside += v * v
			side = max(side, v)
		}
	}
	m.pslr, m.islr = 20*math.Log10(side/top), 10*math.Log10(outside/inside)
	return m
}

// ideal is the response of a band of which the ends are skewed: with squint the Doppler frequency of the beam's
// edges changes over the band in range, and the other way round.
func ideal(width, skew float64) func(x float64) complex128 {
	sinc := func(x float64) float64 {
		if x *= math.Pi; x == 0 {
			return 1
		}
		return math.Sin(x) / x
	}
	return func(x float64) complex128 { return complex(sinc(x*0.88589/width)*sinc(x*skew), 0) }
}

// cycle is exp(2πjx).
func cycle(x float64) complex128 {
	s, c := math.Sincos(2 * math.Pi * (x - math.Round(x)))
	return complex(c, s)
}
