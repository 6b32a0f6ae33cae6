package main

import (
	"fmt"
	"strconv"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/measure"
	"cloudcanvas/shared/sar"
)

func evalSARCommand() *urfave.Command {
	return &urfave.Command{
		Name: "sar", Usage: "how sharp points of a focused radar image are: width, sidelobes, place and phase",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "image", Required: true, Usage: "a GeoTIFF of complex numbers, slc.tif; `FILE`"},
			&urfave.StringFlag{Name: "truth", Usage: "truth.json of canvas simulate echoes: its points are measured, and compared with what they can be at best; `FILE`"},
			&urfave.StringSliceFlag{Name: "at", Usage: "`ROW:COL` of a point; may be given again"},
			&urfave.IntFlag{Name: "row-offset", Usage: "of the image: lines from a row's own to that in which its ground is nearest; default: what the image's file says, else the truth"},
			&urfave.StringFlag{Name: "range-window", Usage: "of the image: none, hamming or kaiser; default: what item.json beside it says, else none"},
			&urfave.StringFlag{Name: "azimuth-window", Usage: "likewise"},
			&urfave.StringFlag{Name: "limits", Usage: "`irw=1.01,pslr=-12.96,islr=-9.8,place=0.0625,phase=1`, any of these: what a point may be at most (of the ideal width, dB, dB, samples, degrees); exit code 3 where one is missed"},
			&urfave.StringFlag{Name: "out", Usage: "`DIR` for report.json"},
			&urfave.BoolFlag{Name: "json", Usage: "the figures as JSON"},
		},
		Action: func(c *urfave.Context) error {
			k := measure.SAR{Options: measure.Options{Out: c.String("out"), JSON: c.Bool("json"), Say: c.App.Writer}, Image: c.String("image"), Truth: c.String("truth"),
				Weights: sar.Weighting{Range: c.String("range-window"), Azimuth: c.String("azimuth-window")}}
			var err error
			for _, text := range c.StringSlice("at") {
				at, err := numbers("--at", text, ":", 2, 2)
				if err != nil {
					return cli.Usage(err)
				}
				k.At = append(k.At, [2]float64{at[0], at[1]})
			}
			if k.Limits, err = sarLimits(c.String("limits")); err != nil {
				return cli.Usage(err)
			}
			if c.IsSet("row-offset") {
				offset := c.Int("row-offset")
				k.RowOffset = &offset
			}
			short, err := k.Run()
			if err != nil {
				return told(err)
			}
			if short > 0 {
				return cli.Incompletef("%d points miss a limit or are not measured", short)
			}
			return nil
		},
	}
}

// sarLimits reads NAME=NUMBER with commas.
func sarLimits(text string) (l measure.SARLimits, err error) {
	if text == "" {
		return l, nil
	}
	places := map[string]**float64{"irw": &l.IRW, "pslr": &l.PSLR, "islr": &l.ISLR, "place": &l.Place, "phase": &l.Phase}
	for _, part := range strings.Split(text, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		v, err := strconv.ParseFloat(number, 64)
		if place := places[name]; place == nil || err != nil || v-v != 0 {
			return l, fmt.Errorf("--limits %q: irw, pslr, islr, place or phase, = and a number are wanted", part)
		} else {
			*place = &v
		}
	}
	return l, nil
}
