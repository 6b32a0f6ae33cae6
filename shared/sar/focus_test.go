package sar

import (
	"math"
	"math/cmplx"
	"testing"
)

func planOf(t testing.TB, p Params, memory int64) *Plan {
	t.Helper()
	plan, err := NewPlan(p, p.split(*p.DopplerCentroidHz, "given"), Weighting{}, memory)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestPointsAreSharpAndInTheirPlace holds points near, mid and far in range to what theory says of them.
func TestPointsAreSharpAndInTheirPlace(t *testing.T) {
	t.Parallel()
	const band = 900
	start := cBand(-6900)
	start.PulseReference = "start"
	for name, p := range map[string]Params{
		"C, broadside": cBand(0), "C, squinted": cBand(-6900), "X, broadside": xBand(0), "X, squinted": xBand(-6900), "C, squinted, from the start of the pulse": start,
	} {
		t.Run(name, func(t *testing.T) {
			plan := planOf(t, p, 4<<30)
			g := p.geometry(*p.DopplerCentroidHz)
			places := [][2]float64{{0.37, 0.1}, {-60.41, 0.57}, {25.13, 0.9}}
			var points []point
			for i, at := range places {
				col := math.Floor(float64(plan.FullFromCol)+float64(plan.FullToCol-plan.FullFromCol)*at[1]) + 0.29*float64(i)
				points = append(points, point{p.RangeM(col), float64(p.Lines/2+plan.RowOffset) + at[0]})
			}
			im := focusAll(t, plan, asCF32(simulate(p, band, points...)))
			for _, target := range points {
				row, col := target.line-float64(plan.RowOffset), (target.rangeM-p.FirstSampleSlantRangeM)/g.step
				q := probe{im: im, rowHz: *p.DopplerCentroidHz / p.PRFHz, colHz: 2 * p.CarrierHz / p.light() * (g.migration(*p.DopplerCentroidHz) - 1) * g.step}
				phase := cmplx.Phase(q.inRange(row, col)(0)*cycle(2*target.rangeM/p.Wavelength())) * 180 / math.Pi
				wideR, wideA := 0.88589*p.SamplingHz/p.Bandwidth(), 0.88589*p.PRFHz/band
				inRange := measure(q.inRange(row, col), wideR)
				inAzimuth := measure(q.inAzimuth(row, col), wideA)
				skewA := *p.DopplerCentroidHz / p.CarrierHz * p.Bandwidth() / p.PRFHz
				idealR, idealA := measure(ideal(wideR, 0), wideR), measure(ideal(wideA, skewA), wideA)
				t.Logf("row %.2f col %.2f: phase %.3f°, range %.4f (ideal %.4f) peak %.4f pslr %.2f islr %.2f (%.2f); azimuth %.4f (%.4f) peak %.4f pslr %.2f islr %.2f (%.2f)", row, col, phase,
					inRange.irw, idealR.irw, inRange.peak, inRange.pslr, inRange.islr, idealR.islr, inAzimuth.irw, idealA.irw, inAzimuth.peak, inAzimuth.pslr, inAzimuth.islr, idealA.islr)
				if math.Abs(phase) > 1 {
					t.Errorf("its phase is off by %.2f°", phase)
				}
				for way, m := range map[string][2]cut{"range": {inRange, idealR}, "azimuth": {inAzimuth, idealA}} {
					is, ideal := m[0], m[1]
					if is.irw > 1.01*ideal.irw || is.irw < 0.99*ideal.irw {
						t.Errorf("in %s it is %.4f samples wide, %.4f would be ideal", way, is.irw, ideal.irw)
					}
					if math.Abs(is.pslr+13.26) > 0.3 {
						t.Errorf("in %s its side lobes are at %.2f dB", way, is.pslr)
					}
					if math.Abs(is.islr-ideal.islr) > 0.4 {
						t.Errorf("in %s the energy of its side lobes is %.2f dB, %.2f would be ideal", way, is.islr, ideal.islr)
					}
					if math.Abs(is.peak) > 1./16 {
						t.Errorf("in %s it is off by %.4f samples", way, is.peak)
					}
				}
			}
		})
	}
}

// TestBlocksAreTheWhole compares an image of several blocks with that of one, of noise that fills both bands.
func TestBlocksAreTheWhole(t *testing.T) {
	t.Parallel()
	for _, centroid := range []float64{0, -6900} {
		p := cBand(centroid)
		p.Lines = 5000
		raw := asCF32(noise(p, 3))
		one, several := planOf(t, p, 4<<30), planOf(t, p, 2*planOf(t, p, 4<<30).memory(2048))
		if len(one.Blocks) != 1 || len(several.Blocks) < 3 {
			t.Fatal("there are", len(one.Blocks), "and", len(several.Blocks), "blocks")
		}
		whole, blocks := focusAll(t, one, raw), focusAll(t, several, raw)
		var off, all float64
		for i, v := range whole.Pix {
			d := complex128(v - blocks.Pix[i])
			off += real(d)*real(d) + imag(d)*imag(d)
			all += real(complex128(v) * cmplx.Conj(complex128(v)))
		}
		if db := 10 * math.Log10(off/all); db > -40 {
			t.Errorf("at %v Hz %d blocks are off by %.1f dB", centroid, len(several.Blocks), db)
		} else {
			t.Logf("at %v Hz %d blocks are off by %.1f dB", centroid, len(several.Blocks), db)
		}
	}
}
