package simulate

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// echoGeometry is the radar's, with what follows of it.
type echoGeometry struct {
	EchoesOptions
	c, wavelength float64
	late          float64 // seconds from the echo that a range stands for to the middle of its pulse
	cell          float64 // metres of slant range a sample
	middle        float64 // slant range of the middle column
	rowOffset     int
	orbit         *echoOrbit
}

const (
	mostLines, mostSamples, mostTargets = 1 << 22, 1 << 17, 10_000
	// Where the beam looks much further ahead than this, a hyperbola with one velocity is no radar any more.
	mostSquint = 0.5
)

// Problem is why no such radar is simulated, or nil.
func (o EchoesOptions) Problem() error {
	_, err := newEchoGeometry(o)
	return err
}

func newEchoGeometry(o EchoesOptions) (*echoGeometry, error) {
	r := &o.Radar
	if r.SpeedOfLightMS == 0 {
		r.SpeedOfLightMS = 299792458
	}
	if o.BeamHz == 0 {
		o.BeamHz = 0.8 * r.PRFHz
	}
	if err := o.bounded(); err != nil {
		return nil, err
	}
	r.Simulated = true
	doppler := o.DopplerHz
	r.DopplerCentroidHz = &doppler
	g := &echoGeometry{EchoesOptions: o, c: r.SpeedOfLightMS, wavelength: r.SpeedOfLightMS / r.CarrierHz}
	if r.PulseReference == "start" {
		g.late = r.ChirpS / 2
	}
	g.cell = g.c / (2 * r.SamplingHz)
	g.middle = g.slantRange(float64(r.Samples-1) / 2)
	for _, f := range []float64{o.DopplerHz - 2*g.reach(), o.DopplerHz + 2*g.reach()} {
		if s := math.Abs(f * g.wavelength / 2 / r.EffectiveVelocityMS); s > mostSquint {
			return nil, fmt.Errorf("--doppler-hz %g with a beam of %g Hz looks %.0f° and more ahead or back at %g m/s; stay below %.0f°",
				o.DopplerHz, o.BeamHz, math.Asin(min(s, 1))*180/math.Pi, r.EffectiveVelocityMS, math.Asin(mostSquint)*180/math.Pi)
		}
	}
	g.rowOffset = -int(math.Round(g.beamLate(g.middle) * r.PRFHz))
	if err := g.aliases(); err != nil && !o.Aliased {
		return nil, fmt.Errorf("%w; --aliased makes it nevertheless", err)
	}
	if o.Place != nil {
		g.orbit = g.newOrbit()
	}
	return g, nil
}

// bounded refuses what is no radar or sizes too much.
func (o EchoesOptions) bounded() error {
	r := o.Radar
	within := func(flag string, v, least, most float64) error {
		if !(v >= least && v <= most) {
			return fmt.Errorf("%s %g: give %g to %g", flag, v, least, most)
		}
		return nil
	}
	one := func(flag, v string, of ...string) error {
		for _, known := range of {
			if v == known {
				return nil
			}
		}
		return fmt.Errorf("%s %q: give %s", flag, v, strings.Join(of, " or "))
	}
	wrong := []error{
		one("--format", string(r.Format), string(sar.IQ8), string(sar.IQ16), string(sar.CF32)),
		one("--pulse-reference", r.PulseReference, "centre", "start"), one("--look", r.LookSide, "right", "left"),
		one("--antenna", o.Antenna, "rect", "sinc2"), one("--scene", o.Scene, "points", "sea", "coast"),
		within("--lines", float64(r.Lines), 16, mostLines), within("--samples", float64(r.Samples), 16, mostSamples),
		within("--carrier-hz", r.CarrierHz, 1e7, 1e11), within("--prf-hz", r.PRFHz, 1, 1e6), within("--sampling-hz", r.SamplingHz, 1e4, 1e10),
		within("--chirp-s", r.ChirpS, 1e-8, 1), within("--chirp-rate-hz-s", math.Abs(r.ChirpRateHzS), 1e6, 1e18),
		within("--first-range-m", r.FirstSampleSlantRangeM, 10, 1e8), within("--velocity", r.EffectiveVelocityMS, 1, 1e5),
		within("--speed-of-light", r.SpeedOfLightMS, 2.9e8, 3.1e8), within("--doppler-hz", math.Abs(o.DopplerHz), 0, 1e7),
		within("--beam-hz", o.BeamHz, 0.01*r.PRFHz, 100*r.PRFHz), within("--noise", o.Noise, 0, 1e4), within("--agc-db", o.AGCdB, 0, 60),
		within("--ships", float64(o.Ships), 0, 1000), within("--sea-rms", o.SeaRMS, 0, 1e4), within("--land-db", o.LandDB, 0, 60), within("--ship-db", o.ShipDB, 0, 80),
		within("points", float64(len(o.Points)), 0, mostTargets),
	}
	if err := event.CheckName(o.Name); err != nil {
		wrong = append(wrong, fmt.Errorf("--name: %w", err))
	}
	if o.Ships > 0 && o.Scene == "points" {
		wrong = append(wrong, errors.New("--ships: a scene of points has none; give --scene sea or coast"))
	}
	if p := o.Place; p != nil {
		wrong = append(wrong, within("--place latitude", p.Latitude, -85, 85), within("--place longitude", p.Longitude, -180, 180),
			within("--heading", p.HeadingDeg, -360, 360), within("--incidence", p.IncidenceDeg, 5, 75))
	}
	for _, p := range o.Points {
		if !(math.Abs(p.Row) < 1e7 && math.Abs(p.Col) < 1e6 && math.Abs(p.PhaseRad) < 1e3 && p.Amplitude >= 0 && p.Amplitude < 1e6) {
			wrong = append(wrong, fmt.Errorf("a point at row %g, column %g of amplitude %g: no such place or amplitude", p.Row, p.Col, p.Amplitude))
		}
	}
	return errors.Join(wrong...)
}

// aliases says why the radar's samples would not hold its echoes.
func (g *echoGeometry) aliases() error {
	r := g.Radar
	if b := math.Abs(r.ChirpRateHzS) * r.ChirpS; b > r.SamplingHz {
		return fmt.Errorf("--chirp-rate-hz-s %g over --chirp-s %g sweeps %.4g Hz, more than --sampling-hz %g holds: it aliases", r.ChirpRateHzS, r.ChirpS, b, r.SamplingHz)
	}
	if g.BeamHz > r.PRFHz {
		return fmt.Errorf("--beam-hz %g is wider than --prf-hz %g: it aliases", g.BeamHz, r.PRFHz)
	}
	if n := r.ChirpS * r.SamplingHz; n >= float64(r.Samples) {
		return fmt.Errorf("--chirp-s %g lasts %.0f samples, --samples %d are no longer: no echo is whole", r.ChirpS, n, r.Samples)
	}
	return nil
}

// reach is how far from the beam's middle something is heard at all, in Hz.
func (g *echoGeometry) reach() float64 {
	if g.Antenna == "sinc2" {
		return 2 / 0.886 * g.BeamHz // two lobes of the antenna
	}
	return g.BeamHz / 2
}

// pattern is the amplitude of the beam, both ways, at a Doppler frequency.
func (g *echoGeometry) pattern(hz float64) float64 {
	off := math.Abs(hz - g.DopplerHz)
	switch {
	case off > g.reach():
		return 0
	case g.Antenna == "sinc2" && off > 0:
		x := math.Pi * 0.886 * off / g.BeamHz // Cumming and Wong, equations 4.27 and 4.28
		s := math.Sin(x) / x
		return s * s
	}
	return 1
}

// slantRange is that of a column.
func (g *echoGeometry) slantRange(col float64) float64 {
	return g.Radar.FirstSampleSlantRangeM + col*g.cell
}

// after is how long after it was nearest something at a slant range of r0 has a Doppler frequency.
func (g *echoGeometry) after(r0, hz float64) float64 {
	s := hz * g.wavelength / 2 / g.Radar.EffectiveVelocityMS
	return -r0 / g.Radar.EffectiveVelocityMS * s / math.Sqrt(1-s*s)
}

// beamLate is how long after it was nearest something is in the middle of the beam.
func (g *echoGeometry) beamLate(r0 float64) float64 { return g.after(r0, g.DopplerHz) }

// gain is what the line is to be multiplied by: the AGC's attenuation goes up and down in steps of 1 dB.
func (g *echoGeometry) gain(line int) float64 { return math.Pow(10, g.agcDB(line)/20) }

func (g *echoGeometry) agcDB(line int) float64 {
	turn := 2 * math.Abs(float64(line)/float64(g.Radar.Lines)-0.5) // 1, 0, 1
	return math.Floor((1 - turn) * g.AGCdB)
}

func (g *echoGeometry) agcFile() []byte {
	var b strings.Builder
	for line := range g.Radar.Lines {
		fmt.Fprintf(&b, "%g\n", g.agcDB(line))
	}
	return []byte(b.String())
}
