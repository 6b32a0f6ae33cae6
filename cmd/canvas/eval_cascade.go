package main

import (
	"slices"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/screen"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/lab/measure"
)

// evalCascadeCommand measures a small network on the device with a larger one behind it in the cloud:
// what is gained for which bytes.
func evalCascadeCommand() *urfave.Command {
	return &urfave.Command{Name: "cascade", Usage: "quality against bytes of a device's model with a larger one in the cloud",
		Subcommands: []*urfave.Command{cascadeMaskCommand(), cascadeDetectCommand()}}
}

func cascadeFlags(more ...urfave.Flag) []urfave.Flag {
	return append(measureFlags(more...),
		&urfave.StringFlag{Name: "edge", Required: true, Usage: "the device's model, `NAME`"},
		&urfave.StringFlag{Name: "cloud", Required: true, Usage: "the cloud's model, `NAME`"},
		&urfave.Float64Flag{Name: "budget", Value: 0.5, Usage: "share of the bytes of sending everything that may be spent, 0 to 1"},
		&urfave.IntFlag{Name: "steps", Value: 10, Usage: "points of the curve"})
}

func newCascade(c *urfave.Context) (measure.Cascade, error) {
	o, err := measuring(c, "--edge and --cloud", "")
	k := measure.Cascade{Options: o, Edge: c.String("edge"), Cloud: c.String("cloud"), Budget: c.Float64("budget"), Steps: c.Int("steps")}
	switch {
	case err != nil:
	case k.Model != "":
		err = cli.Usagef("a cascade has two models: name them with --edge and --cloud")
	case !(k.Budget >= 0 && k.Budget <= 1):
		err = cli.Usagef("--budget %g is not a share; use 0 to 1", k.Budget)
	case k.Steps < 1 || k.Steps > 1000:
		err = cli.Usagef("--steps %d; use 1 to 1000", k.Steps)
	}
	return k, err
}

func cascadeDetectCommand() *urfave.Command {
	snapshot, quality := detect.DefaultConfig().Snapshot, detect.DefaultConfig().Second.Quality
	return &urfave.Command{
		Name: "detect", Usage: "detections are reported as they are; crops or whole pictures that are in doubt go to the cloud's model",
		Flags: cascadeFlags(
			&urfave.StringFlag{Name: "images", Required: true, Usage: "`DIR` of the pictures that the labels name"},
			&urfave.StringFlag{Name: "coco", Required: true, Usage: "labels, a COCO `FILE`"},
			&urfave.StringFlag{Name: "send", Value: measure.SendBoth, Usage: "crops, pictures, or both one after the other"},
			&urfave.Float64Flag{Name: "low", Value: 0.1, Usage: "weaker detections are not worth a crop: they stay as they are"},
			&urfave.Float64Flag{Name: "margin", Value: snapshot.Margin, Usage: "how much more than the box a crop shows on each side, as a share of the box"},
			&urfave.IntFlag{Name: "quality", Value: quality, Usage: "of the JPEGs that crops and whole pictures are sent as, 1 to 100"}),
		Action: func(c *urfave.Context) error {
			k, err := newCascade(c)
			if err != nil {
				return err
			}
			d := measure.CascadeDetect{Cascade: k, Send: c.String("send"), Low: c.Float64("low"), Snapshot: snapshot, Quality: c.Int("quality")}
			d.Snapshot.Margin = c.Float64("margin")
			if !(d.Low >= 0 && d.Low < 1) || !(d.Snapshot.Margin >= 0 && d.Snapshot.Margin <= 10) || d.Quality < 1 || d.Quality > 100 {
				return cli.Usagef("--low is a score from 0 to 1, --margin a share from 0 to 10, --quality 1 to 100")
			}
			if !slices.Contains([]string{measure.SendCrops, measure.SendPictures, measure.SendBoth}, d.Send) {
				return cli.Usagef("--send %s: use crops, pictures or both", d.Send)
			}
			return told(d.Run(c.Context, c.String("images"), c.String("coco")))
		},
	}
}

func cascadeMaskCommand() *urfave.Command {
	return &urfave.Command{
		Name: "mask", Usage: "tiles go as the device's mask where it is sure, as pixels where it is not",
		Flags: cascadeFlags(
			&urfave.StringSliceFlag{Name: "scene", Required: true, Usage: "the scenes, of one sensor; `FILE|GLOB`"},
			&urfave.StringSliceFlag{Name: "labels", Required: true, Usage: "label rasters in the scenes' order, `FILE|GLOB`"},
			&urfave.StringFlag{Name: "legend", Value: "canvas", Usage: "what the labels' numbers mean, as for eval mask"},
			&urfave.StringFlag{Name: "bands", Usage: "names of the bands in the scenes' order, where they have none"},
			&urfave.Float64Flag{Name: "reflectance-scale", Usage: "stored number to reflectance, where the scenes do not say"},
			&urfave.IntFlag{Name: "tile", Value: 256, Usage: "side of a tile, pixels"},
			&urfave.Float64Flag{Name: "sure", Value: screen.DefaultConfig().Scenes.Sure, Usage: "probability from which on a class is sure"}),
		Action: func(c *urfave.Context) error {
			k, err := newCascade(c)
			if err != nil {
				return err
			}
			m := measure.CascadeMask{Cascade: k, Rules: screen.DefaultConfig(), Side: c.Int("tile"), Reading: readingFlags(c)}
			m.Rules.Scenes.Sure = c.Float64("sure")
			if m.Legend, err = evaluate.ParseLegend(c.String("legend")); err != nil {
				return cli.Usage(err)
			}
			if m.Side < 32 || m.Side > 4096 {
				return cli.Usagef("--tile %d; use 32 to 4096 pixels", m.Side)
			}
			files, labels, err := pairs(c.StringSlice("scene"), c.StringSlice("labels"))
			if err != nil {
				return err
			}
			return told(m.Run(c.Context, files, labels))
		},
	}
}
