package sar

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"strings"
	"testing"
)

// addPoint adds a point whose spectrum is even over bands (cycles a sample) around centres, with a phase at its peak.
func addPoint(im *Image, row, col, amplitude, phase float64, band, centre [2]float64) {
	for r := range im.Rows {
		for c := range im.Cols {
			y, x := float64(im.FirstRow+r)-row, float64(c)-col
			im.Pix[r*im.Cols+c] += complex64(complex(amplitude*sinc(band[0]*y)*sinc(band[1]*x), 0) * cmplx.Rect(1, phase+2*math.Pi*(centre[0]*y+centre[1]*x)))
		}
	}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func TestAPointIsMeasuredAsWhatItIs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, doppler := range []float64{0, 0.31, -5.49} {
		for range 4 {
			band := [2]float64{0.5 + 0.45*random.Float64(), 0.6 + 0.35*random.Float64()}
			im := &Image{FirstRow: 1000, Rows: 300, Cols: 320, Pix: make([]complex64, 300*320)}
			row, col, phase := 1140+10*random.Float64(), 150+10*random.Float64(), 2*math.Pi*random.Float64()-math.Pi
			addPoint(im, row, col, 100, phase, band, [2]float64{doppler, 0.02})
			p, err := Analysis{Doppler: &doppler}.At(im, math.Round(row)+2, math.Round(col)-3)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(p.Row-row) > 2e-3 || math.Abs(p.Col-col) > 2e-3 || math.Abs(10*math.Log10(p.Power)-40) > 0.01 {
				t.Errorf("seen at %.4f, %.4f with %.3f dB; it is at %.4f, %.4f with 40", p.Row, p.Col, 10*math.Log10(p.Power), row, col)
			}
			there, err := Analysis{Doppler: &doppler}.At(im, row, col)
			if err != nil {
				t.Fatal(err)
			}
			if off := math.Abs(math.Remainder(there.PhaseThere-phase, 2*math.Pi)); off > 0.002 {
				t.Errorf("phase off by %.4f rad at its place", off)
			}
			for i, cut := range []Cut{p.Azimuth, p.Range} {
				ideal := IdealBand(band[i], 0)
				if math.Abs(cut.IRW/ideal.IRW-1) > 0.003 || math.Abs(cut.PSLR-ideal.PSLR) > 0.05 || math.Abs(cut.ISLR-ideal.ISLR) > 0.1 {
					t.Errorf("band %.3f: %+v, ideal %+v", band[i], cut, ideal)
				}
			}
		}
	}
}

func TestTheIdealIsWhatBooksSay(t *testing.T) {
	c := IdealBand(0.8, 0)
	if math.Abs(c.IRW*0.8-0.8859) > 0.002 || math.Abs(c.PSLR+13.26) > 0.02 {
		t.Errorf("a sinc: %+v", c)
	}
	if math.Abs(c.ISLR+10.22) > 0.05 { // -9.68 dB over all sidelobes, of which those within ten widths hold 0.088 of 0.097
		t.Errorf("a sinc: ISLR %.2f", c.ISLR)
	}
	hamming := Ideal(func(f float64) float64 {
		if math.Abs(f) > 0.4 {
			return 0
		}
		return 0.54 + 0.46*math.Cos(2*math.Pi*f/0.8)
	})
	if math.Abs(hamming.IRW*0.8-1.30) > 0.02 || math.Abs(hamming.PSLR+42.7) > 0.5 { // Harris 1978, table 1
		t.Errorf("Hamming: %+v", hamming)
	}
}

func TestWhatIsNoPointIsRefused(t *testing.T) {
	im := &Image{Rows: 100, Cols: 100, Pix: make([]complex64, 100*100)}
	for what, place := range map[string][2]float64{"outside": {200, 3}, "nothing within": {50, 50}} {
		if _, err := Analyse(im, place[0], place[1]); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v: %v", place, err)
		}
	}
	im.Pix[3*100+50] = 1
	if _, err := Analyse(im, 3, 50); err == nil || !strings.Contains(err.Error(), "edge") {
		t.Error(err)
	}
}
