package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/lab/linksim"
)

func simulatePassCommand() *urfave.Command {
	trace, plan := linksim.DefaultTrace(), linksim.DefaultPlan()
	return &urfave.Command{
		Name: "pass", Usage: "what a satellite brings down over its contacts: six policies, ours being the real scheduler",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "out", Usage: "`DIR` for pass.svg and pass.json"},
			&urfave.BoolFlag{Name: "json", Usage: "write JSON instead of a table"},
			&urfave.Float64Flag{Name: "days", Value: trace.Days, Usage: "how long captures and contacts go on"},
			&urfave.Uint64Flag{Name: "seed", Value: trace.Seed, Usage: "the same seed gives the same trace"},
			&urfave.StringFlag{Name: "trace", Usage: "captures from a .csv or .json `FILE` instead of made ones"},
			&urfave.IntFlag{Name: "scenes", Value: trace.ScenesPerDay, Usage: "a day"},
			&urfave.IntFlag{Name: "tiles", Value: trace.TilesPerScene, Usage: "of a scene"},
			&urfave.IntFlag{Name: "tile-bytes", Value: trace.TileBytes, Usage: "of a tile, on average"},
			&urfave.Float64Flag{Name: "cloud", Value: trace.Cloud, Usage: "share of cloud, on average"},
			&urfave.Float64Flag{Name: "changed", Value: trace.Changed, Usage: "share of tiles whose ground has changed"},
			&urfave.IntFlag{Name: "alerts", Value: trace.AlertsPerDay, Usage: "a day"},
			&urfave.StringFlag{Name: "tle", Usage: "orbital elements, a `FILE` of two lines; default: a made-up orbit at 500 km"},
			&urfave.StringSliceFlag{Name: "station", Usage: "ground station `LAT:LON[:ALTITUDE]`; more than one may be given; default: Svalbard and Troll"},
			&urfave.Float64Flag{Name: "min-elevation", Value: plan.MinElevation, Usage: "degrees above the horizon"},
			&urfave.StringFlag{Name: "contacts", Usage: "contact windows from a JSON `FILE` instead of an orbit"},
			&urfave.Float64Flag{Name: "rate", Value: plan.BytesPerSecond, Usage: "bytes per second of the link in contact"},
		},
		Action: simulatePass,
	}
}

func simulatePass(c *urfave.Context) error {
	trace, err := passTrace(c)
	if err != nil {
		return cli.Usage(err)
	}
	plan, err := passPlan(c)
	if err != nil {
		return cli.Usage(err)
	}
	report, err := linksim.Compare(c.Context, trace, plan)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	if dir := c.String("out"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for name, data := range map[string][]byte{"pass.svg": []byte(report.SVG()), "pass.json": text} {
			if err := renameio.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				return err
			}
		}
	}
	if c.Bool("json") {
		_, err = fmt.Fprintln(c.App.Writer, string(text))
		return err
	}
	report.Print(c.App.Writer)
	if dir := c.String("out"); dir != "" {
		fmt.Fprintln(c.App.Writer, "curves, simulated:", filepath.Join(dir, "pass.svg"))
	}
	return nil
}

func passTrace(c *urfave.Context) (linksim.Trace, error) {
	if file := c.String("trace"); file != "" {
		return linksim.ReadTrace(file)
	}
	o := linksim.TraceOptions{Days: c.Float64("days"), ScenesPerDay: c.Int("scenes"), TilesPerScene: c.Int("tiles"), TileBytes: c.Int("tile-bytes"),
		Cloud: c.Float64("cloud"), Changed: c.Float64("changed"), AlertsPerDay: c.Int("alerts"), Seed: c.Uint64("seed")}
	if err := o.Check(); err != nil {
		return nil, err
	}
	return linksim.Generate(o), nil
}

func passPlan(c *urfave.Context) (linksim.Plan, error) {
	rate := c.Float64("rate")
	if !(rate > 0) {
		return linksim.Plan{}, fmt.Errorf("--rate is %g: bytes per second, above 0", rate)
	}
	if file := c.String("contacts"); file != "" {
		return linksim.ReadPlan(file, rate)
	}
	o := linksim.DefaultPlan()
	o.Days, o.BytesPerSecond, o.MinElevation = c.Float64("days"), rate, c.Float64("min-elevation")
	if file := c.String("tle"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return linksim.Plan{}, fmt.Errorf("read the orbital elements: %w", err)
		}
		o.TLE = string(text)
	}
	if given := c.StringSlice("station"); len(given) > 0 {
		var err error
		if o.Stations, err = stations(given); err != nil {
			return linksim.Plan{}, err
		}
	}
	return linksim.Predict(o)
}

// stations reads LAT:LON[:ALTITUDE].
func stations(given []string) ([]contact.Station, error) {
	var all []contact.Station
	for _, text := range given {
		var f [3]float64
		parts := strings.Split(text, ":")
		if len(parts) < 2 || len(parts) > 3 {
			return nil, fmt.Errorf("--station %q: LAT:LON or LAT:LON:ALTITUDE is wanted, in degrees and metres", text)
		}
		for i, p := range parts {
			var err error
			if f[i], err = strconv.ParseFloat(strings.TrimSpace(p), 64); err != nil {
				return nil, fmt.Errorf("--station %q: %q is no number", text, p)
			}
		}
		all = append(all, contact.Station{Latitude: f[0], Longitude: f[1], Altitude: f[2]})
	}
	return all, nil
}
