package main

import (
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/simulate"
	"cloudcanvas/shared/visible"
)

func simulateCommand() *urfave.Command {
	return &urfave.Command{Name: "simulate", Usage: "simulate loads with known truth", Subcommands: []*urfave.Command{simulateSceneCommand(), simulatePassCommand(), simulateSensorsCommand(), simulateFleetCommand(), simulateEchoesCommand()}}
}

func simulateSceneCommand() *urfave.Command {
	return &urfave.Command{
		Name: "scene", Usage: "clouds and shadows with their truth over a real base, written by windows",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "out", Required: true, Usage: "`DIR` for scene.tif and truth.tif"},
			&urfave.IntFlag{Name: "width", Value: 2048, Usage: "pixels"},
			&urfave.IntFlag{Name: "height", Value: 2048, Usage: "pixels"},
			&urfave.StringFlag{Name: "base", Usage: "a scene to lay them over; default: the Sentinel-2 sample; \"none\": synthetic ground"},
			&urfave.Float64Flag{Name: "clouds", Value: 0.3, Usage: "share of cloud, 0 to 0.9"},
			&urfave.Uint64Flag{Name: "seed", Value: 1, Usage: "the same seed gives the same scene"},
		},
		Action: func(c *urfave.Context) error {
			base := c.String("base")
			switch base {
			case "":
				base = filepath.Join(cli.Home(), "samples", "sentinel2.tif")
			case "none":
				base = ""
			}
			err := simulate.Scene(c.Context, simulate.SceneOptions{Out: c.String("out"), Width: c.Int("width"), Height: c.Int("height"),
				Base: base, Clouds: c.Float64("clouds"), Seed: c.Uint64("seed")})
			if err != nil {
				return err
			}
			visible.Fprintf(c.App.Writer, "simulated: %s with its truth in truth.tif (0 clear, 1 shadow, 2 cloud)\n", filepath.Join(c.String("out"), "scene.tif"))
			return nil
		},
	}
}
