package simulate

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/soak"
)

// focused is the image of simulated echoes, with their truth.
func focused(t *testing.T, o EchoesOptions, memory int64) (*sar.Plan, *sar.Image, EchoesTruth) {
	t.Helper()
	o.Out = t.TempDir()
	report, err := Echoes(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := sar.Open(report.YAML)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	centroid, err := sar.EstimateCentroid(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := sar.NewPlan(e.Params, centroid, sar.Weighting{}, memory)
	if err != nil {
		t.Fatal(err)
	}
	whole := &sar.Image{Cols: plan.Params.Samples}
	for _, b := range plan.Blocks {
		raw, gains, err := e.Raw(plan.Stored(b))
		if err != nil {
			t.Fatal(err)
		}
		im, err := plan.Focus(t.Context(), b, raw, gains)
		if err != nil {
			t.Fatal(err)
		}
		if im.FirstRow != whole.Rows || im.Cols != whole.Cols {
			t.Fatalf("block %d makes rows from %d on, %d were made", b.Index, im.FirstRow, whole.Rows)
		}
		whole.Rows, whole.Pix = whole.Rows+im.Rows, append(whole.Pix, im.Pix...)
	}
	return plan, whole, readTruth(t, o.Out)
}

func readTruth(t *testing.T, dir string) (truth EchoesTruth) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err == nil {
		err = json.Unmarshal(text, &truth)
	}
	if err != nil {
		t.Fatal(err)
	}
	return truth
}

// cBand is the default without noise, xBand a faster chirp that rises, seen from nearer.
func cBand(doppler float64) EchoesOptions {
	o := DefaultEchoes()
	o.Noise, o.DopplerHz = 0, doppler
	o.Radar.Format, o.Radar.PRFHz = sar.CF32, 1257
	return o
}

func xBand(doppler float64) EchoesOptions {
	o := cBand(doppler)
	o.Radar.CarrierHz, o.Radar.SamplingHz, o.Radar.ChirpRateHzS, o.Radar.ChirpS = 9.65e9, 110e6, 5e12, 20e-6
	o.Radar.Samples, o.Radar.FirstSampleSlantRangeM = 4096, 620e3
	return o
}

// TestPointsAreFocusedAsTheyAreSimulated goes the whole way from exact echoes to an image, whose points are held
// to limits: near, in the middle and far, without and with squint, in two bands, with both pulse references.
func TestPointsAreFocusedAsTheyAreSimulated(t *testing.T) {
	for name, o := range map[string]EchoesOptions{"C": cBand(0), "C squinted": cBand(-6900), "X": xBand(0), "X squinted": xBand(-6900)} {
		for _, reference := range []string{"centre", "start"} {
			if !soak.Asked() && (name == "X" || reference == "start" != (name == "C squinted")) {
				continue
			}
			t.Run(name+" "+reference, func(t *testing.T) {
				o.Radar.PulseReference = reference
				plan, im, truth := focused(t, o, 1<<30)
				if plan.RowOffset != truth.RowOffset {
					t.Errorf("the plan's rows are %d lines late, the truth's %d", plan.RowOffset, truth.RowOffset)
				}
				pointsAreSharp(t, plan, im, truth)
			})
		}
	}
}

func pointsAreSharp(t *testing.T, plan *sar.Plan, im *sar.Image, truth EchoesTruth) {
	t.Helper()
	doppler := plan.Centroid.Hz / plan.Params.PRFHz
	inRange, inAzimuth := sar.IdealBand(truth.RangeBand, 0), sar.IdealBand(truth.AzimuthBand, truth.AzimuthSkew)
	if len(truth.Targets) != 9 {
		t.Errorf("%d points", len(truth.Targets))
	}
	for _, x := range truth.Targets {
		if !x.Whole {
			t.Errorf("row %.0f, column %.0f: not all of its echoes are there", x.Row, x.Col)
		}
		p, err := sar.Analysis{Doppler: &doppler}.At(im, x.Row, x.Col)
		if err != nil {
			t.Error(err)
			continue
		}
		phase := math.Remainder(p.PhaseThere-*x.PhaseRad, 2*math.Pi) * 180 / math.Pi
		t.Logf("row %4.0f col %4.0f: off %+.4f %+.4f samples, %+.2f°; range %.4f x ideal, PSLR %.2f, ISLR %.2f (ideal %.2f %.2f); azimuth %.4f, %.2f, %.2f (%.2f %.2f)", x.Row, x.Col,
			p.Row-x.Row, p.Col-x.Col, phase, p.Range.IRW/inRange.IRW, p.Range.PSLR, p.Range.ISLR, inRange.PSLR, inRange.ISLR,
			p.Azimuth.IRW/inAzimuth.IRW, p.Azimuth.PSLR, p.Azimuth.ISLR, inAzimuth.PSLR, inAzimuth.ISLR)
		if math.Abs(p.Row-x.Row) > 1./16 || math.Abs(p.Col-x.Col) > 1./16 {
			t.Errorf("row %.0f, column %.0f: seen at %.3f, %.3f", x.Row, x.Col, p.Row, p.Col)
		}
		if math.Abs(phase) > 1 {
			t.Errorf("row %.0f, column %.0f: phase off by %.2f°", x.Row, x.Col, phase)
		}
		for axis, cut := range map[string][2]sar.Cut{"range": {p.Range, inRange}, "azimuth": {p.Azimuth, inAzimuth}} {
			got, ideal := cut[0], cut[1]
			if got.IRW > 1.01*ideal.IRW || math.Abs(got.PSLR+13.26) > 0.3 || math.Abs(got.ISLR-ideal.ISLR) > 0.4 {
				t.Errorf("row %.0f, column %.0f, %s: %+v, ideal %+v", x.Row, x.Col, axis, got, ideal)
			}
		}
	}
}

// TestBlocksOfSimulatedEchoesAreAsSharp cuts the same echoes into many blocks.
func TestBlocksOfSimulatedEchoesAreAsSharp(t *testing.T) {
	o := cBand(-6900)
	o.Radar.Lines = 4096
	if !soak.Asked() {
		o.Radar.Lines, o.Radar.Samples = 2700, 1700
	}
	plan, im, truth := focused(t, o, 128<<20)
	if len(plan.Blocks) < 2 {
		t.Fatal(fmt.Sprint(len(plan.Blocks), " blocks"))
	}
	pointsAreSharp(t, plan, im, truth)
}

// TestShipsOfASimulatedCoastAreFound: speckle, land, noise, 8 bits and an AGC are between the ships and their image.
func TestShipsOfASimulatedCoastAreFound(t *testing.T) {
	for _, doppler := range []float64{-6900, 0} {
		o := DefaultEchoes()
		o.Scene, o.Ships, o.DopplerHz, o.AGCdB = "coast", 8, doppler, 6
		o.Radar.Lines, o.Radar.Samples, o.Radar.ChirpS, o.Radar.ChirpRateHzS = 2000, 1200, 10e-6, 2.9e12
		if doppler == 0 && !soak.Asked() {
			continue
		}
		plan, im, truth := focused(t, o, 1<<30)
		found, err := plan.Find(im, sar.CFAR{})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int]bool{}
		for _, target := range found.Targets {
			if target.Class != sar.Ship {
				continue
			}
			of := -1
			for i, s := range truth.Targets {
				if s.Kind == "ship" && target.Row > s.Box[0]-4 && target.Row < s.Box[1]+4 && target.Col > s.Box[2]-4 && target.Col < s.Box[3]+4 {
					of = i
				}
			}
			if of < 0 {
				t.Errorf("Doppler %v: no ship is at %+v", doppler, target)
			}
			seen[of] = true
		}
		if len(seen) != 8 {
			t.Errorf("Doppler %v: %d of 8 ships are found", doppler, len(seen))
		}
		t.Logf("Doppler %v: %d targets, land share %.2f", doppler, len(found.Targets), found.LandShare)
	}
}
