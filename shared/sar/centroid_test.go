package sar

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/soak"
)

// opened are echoes in a file of their own, of which the centroid is not known.
func opened(t testing.TB, p Params, echoes []complex128) *Echoes {
	t.Helper()
	path := filepath.Join(t.TempDir(), "echoes")
	if err := os.WriteFile(path, asCF32(echoes), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	p.DopplerCentroidHz = nil
	e := &Echoes{Params: p, Path: path, file: f}
	t.Cleanup(func() { e.Close() })
	return e
}

// TestTheCentroidOfPointsIsFound sees points in noise as strong as each of their echoes.
func TestTheCentroidOfPointsIsFound(t *testing.T) {
	cases := map[string]Params{"C, squinted": cBand(-6900), "X, squinted": xBand(-6900)}
	if soak.Asked() {
		cases["C, broadside"], cases["C, between"], cases["C, ahead"] = cBand(0), cBand(600), cBand(3456.7)
	}
	for name, p := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.Samples = 3000
			plan := planOf(t, p, 4<<30)
			random := rand.New(rand.NewPCG(5, 5))
			var points []point
			for range 8 {
				points = append(points, point{
					p.RangeM(float64(plan.FullFromCol) + random.Float64()*float64(plan.FullToCol-plan.FullFromCol)),
					float64(plan.RowOffset) + random.Float64()*float64(p.Lines),
				})
			}
			echoes := simulate(p, 800, points...)
			for i, v := range noise(p, 4) {
				echoes[i] += v / math.Sqrt2
			}
			c, err := EstimateCentroid(t.Context(), opened(t, p, echoes))
			t.Logf("%+v", c)
			if err != nil {
				t.Fatal(err)
			}
			if off := c.Hz - *p.DopplerCentroidHz; math.Abs(off) > 60 {
				t.Errorf("it is off by %.0f Hz", off)
			}
		})
	}
}

func TestACentroidThatCannotBeToldIsNotGuessed(t *testing.T) {
	p := cBand(0)
	p.Samples = 1500
	for name, echoes := range map[string][]complex128{
		"doppler_centroid_hz": nil, // see below
		"prf_hz: no Doppler":  noise(p, 8),
		"are all zeros":       make([]complex128, p.Lines*p.Samples),
	} {
		if name == "doppler_centroid_hz" {
			// A line is half like the one before: there is a baseband, but nothing stands out, and there are few.
			p.Lines = 64
			echoes = noise(Params{Lines: 65, Samples: p.Samples}, 8)
			for i := range 64 * p.Samples {
				echoes[i] += echoes[i+p.Samples]
			}
			echoes = echoes[:64*p.Samples]
		}
		c, err := EstimateCentroid(t.Context(), opened(t, p, echoes))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		p.Lines = 2048
	}
}

func TestACentroidThatIsGivenIsTaken(t *testing.T) {
	p := cBand(0)
	e := opened(t, p, nil)
	given := -6900.
	e.Params.DopplerCentroidHz = &given
	c, err := EstimateCentroid(t.Context(), e)
	if err != nil || c.Hz != given || c.From != "given" || c.Ambiguity != -5 || math.Abs(c.BasebandHz-(given+5*1257)) > 1e-6 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWhatSpeaksAgainstAGivenCentroidIsTold(t *testing.T) {
	t.Parallel()
	p := cBand(-6900)
	p.Samples = 1500
	points := simulate(p, 800, point{p.RangeM(700), float64(planOf(t, p, 4<<30).RowOffset + p.Lines/2)})
	for name, of := range map[string]struct {
		echoes []complex128
		given  float64
		doubt  string
	}{
		"right": {points, -6900, ""}, "a PRF beside": {points, -6900 + p.PRFHz, ""}, "half a PRF beside": {points, -6900 + p.PRFHz/2, "doppler_centroid_hz: "},
		"noise": {noise(p, 4), -6900, "prf_hz: "}, "nothing": {make([]complex128, p.Lines*p.Samples), -6900, ""},
	} {
		e := opened(t, p, of.echoes)
		e.Params.DopplerCentroidHz = &of.given
		c, err := EstimateCentroid(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if doubt, err := c.Doubt(t.Context(), e); err != nil || of.doubt == "" && doubt != "" || !strings.HasPrefix(doubt, of.doubt) {
			t.Errorf("%s: %q %v", name, doubt, err)
		}
	}
}
