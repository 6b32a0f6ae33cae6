package measure

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/lab/simulate"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/sar"
)

// focusedPoints simulates two points, one of them at the edge, and writes their image.
func focusedPoints(t *testing.T, weights sar.Weighting) (image, truth string) {
	t.Helper()
	dir := t.TempDir()
	o := simulate.DefaultEchoes()
	o.Out, o.DopplerHz, o.Noise = dir, -2000, 0.2
	o.Radar.Format, o.Radar.Lines, o.Radar.Samples, o.Radar.ChirpS, o.Radar.ChirpRateHzS = sar.CF32, 1100, 700, 10e-6, -2.5e12
	o.Points = []simulate.EchoPoint{{Row: 550.25, Col: 350.5, PhaseRad: 2}, {Row: 100, Col: 350}}
	report, err := simulate.Echoes(t.Context(), o)
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
	plan, err := sar.NewPlan(e.Params, centroid, weights, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	image = filepath.Join(dir, "slc.tif")
	w, err := raster.CreateComplex(image, 700, 1100, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, b := range plan.Blocks {
		raw, gains, err := e.Raw(plan.Stored(b))
		if err != nil {
			t.Fatal(err)
		}
		im, err := plan.Focus(t.Context(), b, raw, gains)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(raster.Window{Y: im.FirstRow, W: im.Cols, H: im.Rows}, im.Pix); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return image, filepath.Join(dir, "truth.json")
}

func TestPointsOfAnImageAreHeldToTheirTruth(t *testing.T) {
	for _, weights := range []sar.Weighting{{}, {Range: "kaiser", Azimuth: "hamming"}} {
		image, truth := focusedPoints(t, weights)
		irw, place, phase, far := 1.01, 1./16, 1.0, -60.0
		var out bytes.Buffer
		k := SAR{Options: Options{JSON: true, Say: &out}, Image: image, Truth: truth, Weights: weights, Limits: SARLimits{IRW: &irw, Place: &place, Phase: &phase}}
		if short, err := k.Run(); err != nil || short != 0 {
			t.Fatal(short, err, out.String())
		}
		var r sarReport
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Points) != 1 || r.Partial != 1 || !r.Simulated || *r.Points[0].RangeRatio < 0.98 || *r.Points[0].AzimuthRatio < 0.98 {
			t.Errorf("%s", out.String())
		}
		p := r.Points[0]
		for axis, cuts := range map[string][2]sar.Cut{"range": {p.Range, r.Ideal.Range}, "azimuth": {p.Azimuth, r.Ideal.Azimuth}} {
			// A chirp of 250 cycles has ripples, which show where sidelobes are low.
			if d := cuts[0].PSLR - cuts[1].PSLR; d > 2 || d < -3 {
				t.Errorf("%+v, %s: %+v, ideal %+v", weights, axis, cuts[0], cuts[1])
			}
		}
		out.Reset()
		k = SAR{Options: Options{Say: &out}, Image: image, Truth: truth, Weights: weights, Limits: SARLimits{PSLR: &far}}
		if short, err := k.Run(); err != nil || short != 1 || !strings.Contains(out.String(), "misses a limit: pslr") || !strings.Contains(out.String(), "1 points whose echoes") {
			t.Error(short, err, out.String())
		}
	}
}

func TestPlacesWithoutATruthAreMeasuredToo(t *testing.T) {
	image, truth := focusedPoints(t, sar.Weighting{})
	if err := os.WriteFile(filepath.Join(filepath.Dir(image), "item.json"), []byte(`{"properties":{"canvas:range_window":"kaiser"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	k := SAR{Options: Options{Say: &out}, Image: image, At: [][2]float64{{552, 349}, {900, 300}, {5000, 3}}}
	if short, err := k.Run(); err != nil || short < 1 || !strings.Contains(out.String(), "-1.75") || !strings.Contains(out.String(), "outside the image") || !strings.Contains(out.String(), "in range: kaiser") {
		t.Error(short, err, out.String())
	}
	phase := 1.0
	for words, wrong := range map[string]SAR{"give either": {Image: image}, "either --truth": {Image: image, Truth: truth, At: [][2]float64{{1, 1}}},
		"need --truth": {Image: image, At: [][2]float64{{1, 1}}, Limits: SARLimits{Phase: &phase}}, "it is none, hamming": {Image: image, Truth: truth, Weights: sar.Weighting{Range: "square"}}} {
		wrong.Say = &out
		if _, err := wrong.Run(); !errors.As(err, new(Mistake)) || !strings.Contains(err.Error(), words) {
			t.Errorf("%v instead of %q", err, words)
		}
	}
}
