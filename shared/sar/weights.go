package sar

import (
	"fmt"
	"math"
)

func (w Weighting) check() error {
	for field, word := range map[string]string{"range": w.Range, "azimuth": w.Azimuth} {
		switch word {
		case "", "none", "hamming", "kaiser":
		default:
			return fmt.Errorf("weighting in %s is %q: it is none, hamming or kaiser", field, word)
		}
	}
	return nil
}

// window is a weighting at x, from -1 to 1 over the band, 0 outside; its mean square is 1, so that clutter keeps
// its level.
func window(word string) func(x float64) float64 {
	var raw func(x float64) float64
	switch word {
	case "hamming":
		raw = func(x float64) float64 { return 0.54 + float64(0.46*cosine(math.Pi*x)) }
	case "kaiser":
		raw = func(x float64) float64 { return bessel(2.5*math.Sqrt(1-float64(x*x))) / bessel(2.5) }
	default:
		return func(float64) float64 { return 1 }
	}
	const steps = 1000
	var power float64
	for i := range steps {
		v := raw((float64(2*float64(i))+1)/steps - 1)
		power += v * v / steps
	}
	scale := 1 / math.Sqrt(power)
	return func(x float64) float64 {
		if !(math.Abs(x) <= 1) {
			return 0
		}
		return raw(x) * scale
	}
}

// softEdge takes the last hundredth of the PRF at each end of the band in azimuth away, where the two ends of the
// beam are mixed anyway. With a sharp edge a row would depend a little on lines far outside its aperture.
func softEdge(x float64) float64 {
	const soft = 0.02
	if x = math.Abs(x); x <= 1-soft {
		return 1
	}
	return (1 + cosine(math.Pi*(min(x, 1)-1+soft)/soft)) / 2
}

// bessel is I0, by its series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-16*sum; k++ {
		term *= x / 2 / k * (x / 2 / k)
		sum += term
	}
	return sum
}

// cosine is that of at most half a turn, by its series: math.Cos is not the same bits on all processors.
func cosine(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 2.0; math.Abs(term) > 1e-18; k += 2 {
		term *= -x / (k - 1) * x / k
		sum += term
	}
	return sum
}
