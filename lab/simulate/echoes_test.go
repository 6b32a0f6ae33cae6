package simulate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/cmplx"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/sar"
)

// TestAnEchoIsWhatTheFormulaSays computes samples one by one, with no recursion.
func TestAnEchoIsWhatTheFormulaSays(t *testing.T) {
	for _, reference := range []string{"centre", "start"} {
		o := cBand(-6900)
		o.Radar.PulseReference = reference
		g, err := newEchoGeometry(o)
		if err != nil {
			t.Fatal(err)
		}
		m := &echoScene{}
		m.add(g, lit{row: 700, col: 900.25, amplitude: 3, phase: 1})
		p := m.points[0]
		c, v, lambda := 299792458.0, 7062.0, 299792458/5.3e9
		heard := 0
		for line := p.first - 3; line <= p.last+3; line += 7 {
			got := make([]complex128, 2048)
			g.echo(got, p, line)
			since := float64(line)/1257 - p.zero
			r := math.Sqrt(p.r0*p.r0 + v*v*since*since)
			doppler := -2 * v * v * since / (lambda * r)
			for i, z := range got {
				u := 2*988647/c + float64(i)/32.317e6 - 2*r/c
				if reference == "start" {
					u -= 41.75e-6 / 2
				}
				var want complex128
				if math.Abs(u) <= 41.75e-6/2 && math.Abs(doppler+6900) <= 0.4*1257 {
					want = cmplx.Rect(3, math.Pi*-0.72135e12*u*u-4*math.Pi*r/lambda+1)
					heard++
				}
				if cmplx.Abs(z-want) > 1e-5 {
					t.Fatalf("%s: line %d, sample %d: %v instead of %v", reference, line, i, z, want)
				}
			}
		}
		if heard < 10_000 {
			t.Errorf("%s: only %d samples are heard", reference, heard)
		}
	}
}

// TestClutterIsHeardAsPointsAre: one cell of ground, through the spectrum of a point, against the exact echo.
func TestClutterIsHeardAsPointsAre(t *testing.T) {
	for _, doppler := range []float64{0, -6900} {
		o := small()
		o.DopplerHz, o.Scene, o.Radar.PulseReference = doppler, "sea", "start"
		g, err := newEchoGeometry(o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := g.newClutter()
		if err != nil {
			t.Fatal(err)
		}
		// In the middle of the swath, where migration moves it by no part of a sample.
		const row, col = 400, 350
		c.held, c.from = make([]complex64, c.length*c.wide), 0
		c.held[(row+c.guard)*c.wide+c.left+col] = 1
		if err := c.transmit(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := &echoScene{}
		m.add(g, lit{row: row, col: col, amplitude: 1})
		var product complex128
		var ours, exact float64
		for line := max(0, m.points[0].first); line <= m.points[0].last; line++ {
			want := make([]complex128, o.Radar.Samples)
			g.echo(want, m.points[0], line)
			for i, w := range want {
				z := complex128(c.held[(line+c.guard)*c.wide+i])
				product += z * cmplx.Conj(w)
				ours += real(z)*real(z) + imag(z)*imag(z)
				exact += real(w)*real(w) + imag(w)*imag(w)
			}
		}
		coherence := cmplx.Abs(product) / math.Sqrt(ours*exact)
		t.Logf("Doppler %v: coherence %.4f, amplitude %.3f, phase %.1f°", doppler, coherence, math.Sqrt(ours/exact), cmplx.Phase(product)*180/math.Pi)
		if coherence < 0.98 || math.Abs(math.Sqrt(ours/exact)-1) > 0.05 || math.Abs(cmplx.Phase(product)) > 0.1 {
			t.Errorf("Doppler %v: coherence %.4f, amplitude %.3f, phase %.3f rad", doppler, coherence, math.Sqrt(ours/exact), cmplx.Phase(product))
		}
	}
}

func small() EchoesOptions {
	o := DefaultEchoes()
	o.Radar.Lines, o.Radar.Samples, o.Radar.ChirpS = 900, 700, 10e-6
	o.Radar.ChirpRateHzS = -2.5e12
	return o
}

func TestTheSameSeedGivesTheSameEchoesAndTheLevelsAreThoseAskedFor(t *testing.T) {
	o := small()
	o.Scene, o.Ships, o.AGCdB, o.Noise, o.SeaRMS = "sea", 3, 4, 0, 8
	o.Radar.Format = sar.CF32
	var first []byte
	for range 2 {
		o.Out = t.TempDir()
		if _, err := Echoes(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(o.Out, "simulated.cf32"))
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, data) {
			t.Error("other echoes from the same seed")
		}
		first = data
	}
	agc, err := os.ReadFile(filepath.Join(o.Out, "simulated.agc.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(string(agc))); n != 900 {
		t.Errorf("%d lines of the AGC", n)
	}
	g, _ := newEchoGeometry(o)
	sum := 0.0
	for line := range 900 {
		for i := range 2 * 700 {
			v := float64(math.Float32frombits(binary.LittleEndian.Uint32(first[4*(line*1400+i):]))) * g.gain(line)
			sum += v * v
		}
	}
	// The sea's texture has a mean intensity of exp(0.3²/2), and ships add a little.
	if rms := math.Sqrt(sum / 900 / 700); rms < 7.5 || rms > 10 {
		t.Errorf("sea of %.2f instead of 8", rms)
	}
}

func TestGeometriesThatAliasAreRefusedUnlessAskedFor(t *testing.T) {
	for words, change := range map[string]func(o *EchoesOptions){
		"--chirp-rate-hz-s -5e+12 over --chirp-s 1e-05 sweeps 5e+07 Hz": func(o *EchoesOptions) { o.Radar.ChirpRateHzS *= 2 },
		"--beam-hz 1500 is wider than --prf-hz 1256.98":                 func(o *EchoesOptions) { o.BeamHz = 1500 },
		"--samples 300 are no longer":                                   func(o *EchoesOptions) { o.Radar.Samples = 300 },
	} {
		o := small()
		change(&o)
		if err := o.Problem(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v instead of %q", err, words)
		}
		if o.Aliased = true; o.Problem() != nil {
			t.Error(o.Problem())
		}
	}
	for words, change := range map[string]func(o *EchoesOptions){
		"looks":             func(o *EchoesOptions) { o.DopplerHz = 3e5 },
		"--lines 0":         func(o *EchoesOptions) { o.Radar.Lines = 0 },
		"--prf-hz NaN":      func(o *EchoesOptions) { o.Radar.PRFHz, o.BeamHz = math.NaN(), 1 },
		"--format \"iq12\"": func(o *EchoesOptions) { o.Radar.Format = "iq12" },
		"--name":            func(o *EchoesOptions) { o.Name = "../x" },
		"has none":          func(o *EchoesOptions) { o.Ships = 3 },
		"--incidence 2":     func(o *EchoesOptions) { o.Place = &EchoPlace{IncidenceDeg: 2} },
	} {
		o := small()
		o.Aliased = true
		change(&o)
		if err := o.Problem(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v instead of %q", err, words)
		}
	}
	o := small()
	o.Scene, o.Ships, o.Out = "sea", 900, t.TempDir()
	if _, err := Echoes(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no more room") {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	o.Ships = 0
	if _, err := Echoes(ctx, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestWhatIsDescribedIsRead: the YAML of a simulation is one that the product takes, and its places are those that the
// orbit gives.
func TestWhatIsDescribedIsRead(t *testing.T) {
	for _, look := range []string{"right", "left"} {
		o := small()
		o.Place, o.Out, o.DopplerHz, o.Radar.LookSide = &EchoPlace{Latitude: 49.3, Longitude: -123.2, HeadingDeg: 347, IncidenceDeg: 38}, t.TempDir(), -3000, look
		o.Radar.Lines = 1400
		report, err := Echoes(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		e, err := sar.Open(report.YAML)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if !e.Params.Simulated || e.Params.EffectiveVelocityMS != 7062 || *e.Params.DopplerCentroidHz != -3000 || e.Params.LookSide != look {
			t.Errorf("%+v", e.Params)
		}
		truth := readTruth(t, o.Out)
		geometry, err := sar.NewGeometry(e.Params, truth.RowOffset)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range truth.Targets {
			if x.Latitude == nil {
				t.Fatal("it has no place")
			}
			lat, lon, err := geometry.Place(x.Row, x.Col, 0)
			if err != nil {
				t.Fatal(err)
			}
			metres := 111e3 * math.Hypot(lat-*x.Latitude, (lon-*x.Longitude)*math.Cos(lat*math.Pi/180))
			if metres > 0.01 || math.Abs(lat-49.3) > 0.2 || math.Abs(lon+123.2) > 0.2 {
				t.Errorf("%s: row %.0f, column %.0f lies at %.6f, %.6f, the truth says %.6f, %.6f", look, x.Row, x.Col, lat, lon, *x.Latitude, *x.Longitude)
			}
		}
	}
}
