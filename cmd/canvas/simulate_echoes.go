package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/simulate"
	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/visible"
)

func simulateEchoesCommand() *urfave.Command {
	d := simulate.DefaultEchoes()
	return &urfave.Command{
		Name: "echoes", Usage: "raw echoes of a synthetic aperture radar: points, sea, land and ships with their truth, written by blocks of lines",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "out", Required: true, Usage: "`DIR` for NAME.iq8, NAME.yaml and truth.json"},
			&urfave.StringFlag{Name: "name", Value: d.Name, Usage: "of the acquisition"},
			&urfave.StringFlag{Name: "scene", Value: d.Scene, Usage: "points: nothing else; sea; coast: sea and land"},
			&urfave.StringSliceFlag{Name: "point", Usage: "`ROW:COL[:AMPLITUDE[:PHASE]]` in the image, phase in degrees; may be given again; default for a scene of points: three by three"},
			&urfave.IntFlag{Name: "ships", Usage: "on the sea"},
			&urfave.IntFlag{Name: "lines", Value: d.Radar.Lines, Usage: "pulses"},
			&urfave.IntFlag{Name: "samples", Value: d.Radar.Samples, Usage: "of a line"},
			&urfave.StringFlag{Name: "format", Value: string(d.Radar.Format), Usage: "iq8, iq16 or cf32: pairs of I and Q, little endian"},
			&urfave.Float64Flag{Name: "carrier-hz", Value: d.Radar.CarrierHz, Usage: "of the radar"},
			&urfave.Float64Flag{Name: "prf-hz", Value: d.Radar.PRFHz, Usage: "pulses a second"},
			&urfave.Float64Flag{Name: "sampling-hz", Value: d.Radar.SamplingHz, Usage: "complex samples a second"},
			&urfave.Float64Flag{Name: "chirp-rate-hz-s", Value: d.Radar.ChirpRateHzS, Usage: "negative: the frequency falls"},
			&urfave.Float64Flag{Name: "chirp-s", Value: d.Radar.ChirpS, Usage: "length of a pulse"},
			&urfave.StringFlag{Name: "pulse-reference", Value: d.Radar.PulseReference, Usage: "centre: an echo lasts half a pulse before and after the time of its range; start: a pulse after it"},
			&urfave.Float64Flag{Name: "first-range-m", Value: d.Radar.FirstSampleSlantRangeM, Usage: "slant range of the first sample"},
			&urfave.Float64Flag{Name: "velocity", Value: d.Radar.EffectiveVelocityMS, Usage: "effective velocity, m/s"},
			&urfave.Float64Flag{Name: "speed-of-light", Value: d.Radar.SpeedOfLightMS, Usage: "m/s"},
			&urfave.Float64Flag{Name: "doppler-hz", Usage: "of the middle of the beam, absolute: negative where it looks back"},
			&urfave.Float64Flag{Name: "beam-hz", Usage: "Doppler band that the beam lights; default: 0.8 of the PRF"},
			&urfave.StringFlag{Name: "antenna", Value: d.Antenna, Usage: "rect: the band equally; sinc2: as an antenna without weighting"},
			&urfave.Float64Flag{Name: "noise", Value: d.Noise, Usage: "of the receiver, standard deviation of I and of Q in stored numbers"},
			&urfave.Float64Flag{Name: "sea-rms", Value: d.SeaRMS, Usage: "of the sea's echoes, in stored numbers"},
			&urfave.Float64Flag{Name: "land-db", Value: d.LandDB, Usage: "over sea"},
			&urfave.Float64Flag{Name: "ship-db", Value: d.ShipDB, Usage: "a ship's strongest point over sea, in the image"},
			&urfave.Float64Flag{Name: "agc-db", Usage: "the receiver attenuates by up to so much, as NAME.agc.txt tells; 0: it does not"},
			&urfave.BoolFlag{Name: "aliased", Usage: "make a geometry that aliases, which is refused otherwise"},
			&urfave.StringFlag{Name: "place", Usage: "`LAT,LON` of the middle of the scene: state vectors of an orbit over it are made"},
			&urfave.Float64Flag{Name: "heading", Value: 347, Usage: "of the flight over --place, degrees from north"},
			&urfave.Float64Flag{Name: "incidence", Value: 38, Usage: "at --place, degrees"},
			&urfave.StringFlag{Name: "look", Value: d.Radar.LookSide, Usage: "right or left of the flight"},
			&urfave.StringFlag{Name: "polarisation", Value: "VV", Usage: "that the YAML tells"},
			&urfave.Uint64Flag{Name: "seed", Value: d.Seed, Usage: "the same seed gives the same echoes"},
		},
		Action: func(c *urfave.Context) error {
			o, err := echoesOptions(c)
			if err != nil {
				return cli.Usage(err)
			}
			if err := o.Problem(); err != nil {
				return cli.Usage(err)
			}
			report, err := simulate.Echoes(c.Context, o)
			if err != nil {
				return err
			}
			visible.Fprintf(c.App.Writer, "simulated: %d lines of %d samples, %s, with %d points and %d ships as truth.json tells; %.2f %% of the numbers were cut off\n",
				o.Radar.Lines, o.Radar.Samples, report.YAML, report.Points, report.Ships, 100*report.Saturated)
			return nil
		},
	}
}

func echoesOptions(c *urfave.Context) (o simulate.EchoesOptions, err error) {
	o = simulate.EchoesOptions{Out: c.String("out"), Name: c.String("name"), Scene: c.String("scene"), Ships: c.Int("ships"), DopplerHz: c.Float64("doppler-hz"),
		BeamHz: c.Float64("beam-hz"), Antenna: c.String("antenna"), Noise: c.Float64("noise"), SeaRMS: c.Float64("sea-rms"), LandDB: c.Float64("land-db"), ShipDB: c.Float64("ship-db"),
		AGCdB: c.Float64("agc-db"), Aliased: c.Bool("aliased"), Seed: c.Uint64("seed"),
		Radar: sar.Params{Format: sar.Format(c.String("format")), Lines: c.Int("lines"), Samples: c.Int("samples"), CarrierHz: c.Float64("carrier-hz"), PRFHz: c.Float64("prf-hz"),
			SamplingHz: c.Float64("sampling-hz"), ChirpRateHzS: c.Float64("chirp-rate-hz-s"), ChirpS: c.Float64("chirp-s"), PulseReference: c.String("pulse-reference"),
			FirstSampleSlantRangeM: c.Float64("first-range-m"), EffectiveVelocityMS: c.Float64("velocity"), SpeedOfLightMS: c.Float64("speed-of-light"),
			LookSide: c.String("look"), Polarisation: c.String("polarisation")}}
	for _, text := range c.StringSlice("point") {
		f, err := numbers("--point", text, ":", 2, 4)
		if err != nil {
			return o, err
		}
		f = append(f, 0, 0)
		o.Points = append(o.Points, simulate.EchoPoint{Row: f[0], Col: f[1], Amplitude: f[2], PhaseRad: f[3] * math.Pi / 180})
	}
	if c.IsSet("place") {
		f, err := numbers("--place", c.String("place"), ",", 2, 2)
		if err != nil {
			return o, err
		}
		o.Place = &simulate.EchoPlace{Latitude: f[0], Longitude: f[1], HeadingDeg: c.Float64("heading"), IncidenceDeg: c.Float64("incidence")}
	}
	return o, nil
}

// numbers reads a list of at least and at most so many numbers.
func numbers(flag, text, between string, least, most int) ([]float64, error) {
	parts := strings.Split(text, between)
	if len(parts) < least || len(parts) > most {
		return nil, fmt.Errorf("%s %q: %d to %d numbers with %q between them are wanted", flag, text, least, most, between)
	}
	var all []float64
	for _, p := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %q is no number", flag, text, p)
		}
		all = append(all, v)
	}
	return all, nil
}
