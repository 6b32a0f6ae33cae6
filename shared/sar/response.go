package sar

import (
	"errors"
	"math"
)

// steps are how many parts a sample is cut into where a response is measured.
const steps = 32

// sidelobeWidths are how many widths from the peak sidelobes count.
const sidelobeWidths = 10

// response measures a response around its peak, given its spectrum, whose middle is at zero. needs is how many samples
// a cut of all that counts has.
func response(spectrum []complex128, peak float64) (c Cut, needs int, err error) {
	n := len(spectrum)
	at := func(i int) float64 { // power i steps from the peak
		z := between(spectrum, peak+float64(i)/steps)
		return real(z)*real(z) + imag(z)*imag(z)
	}
	// As far as the shorter side of the cut goes.
	most := int((min(peak, float64(n)-peak) - 1) * steps)
	if most < steps {
		return c, windowSide, errors.New("the image ends beside the peak")
	}
	var sides [2][]float64
	extend := func(to int) {
		for i, direction := range [2]int{-1, 1} {
			for len(sides[i]) < to {
				sides[i] = append(sides[i], at(direction*len(sides[i])))
			}
		}
	}
	extend(1)
	top := sides[0][0]
	if !(top > 0) {
		return c, windowSide, errors.New("there is nothing")
	}
	var a, b float64
	for okA, okB := false, false; !okA || !okB; {
		if len(sides[0]) >= most {
			return c, 2 * n, errors.New("the response is wider than the image around it")
		}
		extend(min(most, len(sides[0])+2*steps))
		a, okA = halfway(sides[0])
		b, okB = halfway(sides[1])
	}
	c.IRW = (a + b) / steps
	needs = int(math.Ceil(2 * cutWidths * c.IRW))
	end := min(most, int(sidelobeWidths*c.IRW*steps))
	extend(end)
	main, lobes, highest := -top, 0.0, 0.0 // the peak is on both sides
	for _, p := range sides {
		null := firstNull(p)
		for i, v := range p[:end] {
			if i <= null {
				main += v
				continue
			}
			lobes += v
			highest = max(highest, v)
		}
	}
	c.PSLR, c.ISLR = 10*math.Log10(highest/top), 10*math.Log10(lobes/main)
	if highest == 0 {
		return c, needs, errors.New("there are no sidelobes within the image around it")
	}
	return c, needs, nil
}

// halfway is how many steps from the peak a side falls to half the power.
func halfway(p []float64) (float64, bool) {
	for i, v := range p {
		if v < p[0]/2 {
			return float64(i) - (p[0]/2-v)/(p[i-1]-v), true
		}
	}
	return 0, false
}

// firstNull is the first minimum of a side below half the power.
func firstNull(p []float64) int {
	for i := 1; i < len(p)-1; i++ {
		if p[i] < p[0]/2 && p[i] <= p[i-1] && p[i] < p[i+1] {
			return i
		}
	}
	return len(p)
}

// Ideal is the response of a system whose amplitude at f cycles a sample, -0.5 to 0.5, is spectrum(f), as Analyse
// measures it: what a focused point can be at best.
func Ideal(spectrum func(f float64) float64) Cut {
	const n, parts = mostCut, 64
	s := make([]complex128, n)
	for k := range s {
		sum := 0.0
		for i := range parts { // a bin holds what its width does: bands end between bins
			sum += spectrum((float64(signed(k, n)) + (float64(i)+0.5)/parts - 0.5) / n)
		}
		s[k] = complex(sum/parts, 0) * spin(-float64(signed(k, n))/2)
	}
	c, _, err := response(s, n/2)
	if err != nil {
		return Cut{IRW: math.NaN(), PSLR: math.NaN(), ISLR: math.NaN()}
	}
	return c
}

// IdealBand is that of an even band of so many cycles a sample: -3 dB at 0.886 samples over it, PSLR -13.26 dB. skew
// is by how much it moves over the band of the other axis, as that in azimuth does with squint (by the Doppler
// centroid times the chirp's relative bandwidth).
func IdealBand(band, skew float64) Cut { return Ideal(evenBand(band, skew)) }

func evenBand(band, skew float64) func(f float64) float64 {
	return func(f float64) float64 {
		f = math.Abs(f)
		if skew <= 0 {
			if f <= band/2 {
				return 1
			}
			return 0
		}
		return min(1, max(0, ((band+skew)/2-f)/min(band, skew)))
	}
}

// Ideal is what a point can be at best that was heard in these bands, in shares of the sampling frequency and the
// PRF, in an image that is weighted so: in range over the chirp's band, in azimuth over the PRF.
func (w Weighting) Ideal(rangeBand, azimuthBand, skew float64) (inRange, inAzimuth Cut, err error) {
	if err := w.check(); err != nil {
		return inRange, inAzimuth, err
	}
	across, along, lit := window(w.Range), window(w.Azimuth), evenBand(azimuthBand, skew)
	inRange = Ideal(func(f float64) float64 {
		if math.Abs(f) > rangeBand/2 {
			return 0
		}
		return across(2 * f / rangeBand)
	})
	return inRange, Ideal(func(f float64) float64 { return lit(f) * along(2*f) * softEdge(2*f) }), nil
}

func spin(cycles float64) complex128 {
	sin, cos := math.Sincos(2 * math.Pi * (cycles - math.Round(cycles)))
	return complex(cos, sin)
}

// signed is a bin's frequency in cycles of n samples: negative above the middle.
func signed(k, n int) int {
	if k >= (n+1)/2 {
		return k - n
	}
	return k
}

// spectrumOf is the discrete Fourier transform, divided by the length, in double precision: lines here are short, and
// few.
func spectrumOf(x []complex128) []complex128 {
	n := len(x)
	turns := make([]complex128, n)
	for i := range turns {
		turns[i] = spin(-float64(i) / float64(n))
	}
	out := make([]complex128, n)
	for k := range out {
		for i, at := 0, 0; i < n; i++ {
			out[k] += x[i] * turns[at]
			if at += k; at >= n {
				at -= n
			}
		}
		out[k] /= complex(float64(n), 0)
	}
	return out
}

// between is what has a spectrum at a place between its samples.
func between(spectrum []complex128, x float64) complex128 {
	n := len(spectrum)
	turn := spin(x / float64(n))
	// Horner's rule over the frequencies from the lowest to the highest.
	var sum complex128
	low := n / 2 // bins of negative frequency
	for k := n - low - 1; k >= -low; k-- {
		sum = sum*turn + spectrum[(k+n)%n]
	}
	return sum * spin(-float64(low)*x/float64(n))
}
