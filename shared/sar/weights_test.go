package sar

import (
	"math"
	"testing"
)

func TestWindowsKeepThePowerOfNoise(t *testing.T) {
	for word, edge := range map[string]float64{"": 1, "none": 1, "hamming": 0.08 / 0.63, "kaiser": 0.396} {
		shape := window(word)
		var power float64
		const n = 5000
		for i := range n {
			v := shape((2*float64(i)+1)/n - 1)
			power += v * v / n
		}
		if math.Abs(power-1) > 1e-3 {
			t.Errorf("%s: %v of the power", word, power)
		}
		if got := shape(1); math.Abs(got-edge) > 0.01 {
			t.Errorf("%s: %v at the ends, want %v", word, got, edge)
		}
		if shape(1.01) != 0 && word != "" && word != "none" {
			t.Errorf("%s: something is left beyond the band", word)
		}
	}
}

func TestTheSeriesAreWhatTheySay(t *testing.T) {
	for x := -math.Pi; x <= math.Pi; x += 0.01 {
		if off := math.Abs(cosine(x) - math.Cos(x)); off > 1e-14 {
			t.Fatalf("cos %v is off by %v", x, off)
		}
	}
	// Abramowitz and Stegun, table 9.8.
	for x, want := range map[float64]float64{0: 1, 1: 1.2660658778, 2.5: 3.2898391440} {
		if got := bessel(x); math.Abs(got-want) > 1e-9 {
			t.Errorf("I0(%v) is %v", x, got)
		}
	}
	if softEdge(0.97) != 1 || math.Abs(softEdge(0.99)-0.5) > 1e-9 || softEdge(1) > 1e-9 || softEdge(1.2) > 1e-9 {
		t.Error("the ends of the band are not soft")
	}
}
