package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/mosaic"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

func scenesCommand() *urfave.Command {
	return &urfave.Command{
		Name: "scenes", Usage: "the products of scenes and cameras",
		Subcommands: []*urfave.Command{
			{Name: "ls", Usage: "list them", Flags: []urfave.Flag{cli.JSONFlag}, Action: listScenes},
			{Name: "show", Usage: "one of them, with what is missing", ArgsUsage: "NAME", Flags: []urfave.Flag{cli.JSONFlag}, Action: showScene},
		},
	}
}

func listScenes(c *urfave.Context) error {
	return withKafka(c, event.ProductsTopic, func(ctx context.Context, _ cloud.Config, k *kafka.Client) error {
		all, err := mosaic.Index(ctx, mosaic.KafkaGroup(k))
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return cli.PrintJSON(c.App.Writer, append([]mosaic.Listed{}, all...))
		}
		return printScenes(c.App.Writer, all)
	})
}

// radarSize says how large an acquisition is, and how it was focused.
func radarSize(r *mosaic.RadarStats) string {
	text := fmt.Sprintf("%d lines of %d samples, Doppler centroid %.1f Hz (ambiguity %d)", r.Lines, r.Samples, r.CentroidHz, r.Ambiguity)
	if r.Simulated {
		text = "simulated: " + text
	}
	return text
}

// kind is what a product is.
func kind(p mosaic.Product) string {
	if p.Radar != nil {
		return "radar"
	}
	return p.Kind
}

func printScenes(out io.Writer, all []mosaic.Listed) error {
	w := table(out)
	w.Printf("KIND\tNAME\tEDGE\tMADE\tSTATE\tFOLDER\n")
	for _, p := range all {
		w.Printf("%s\t%s\t%s\t%s\t%s\t%s\n", kind(p.Product), p.Name, orDash(p.Edge), p.At.UTC().Format(time.RFC3339), state(p.Product), p.Folder)
	}
	return w.Flush()
}

// state is how whole a product is.
func state(p mosaic.Product) string {
	if p.Complete {
		return "complete"
	}
	if p.Failed != "" {
		return "failed"
	}
	return fmt.Sprintf("%d missing", p.Lacking)
}

// missingShown is how many missing tiles a person is shown.
const missingShown = 20

func showScene(c *urfave.Context) error {
	if c.NArg() != 1 {
		return cli.Usagef("show takes the name of one scene or camera, as `scenes ls` gives it")
	}
	return withKafka(c, event.ProductsTopic, func(ctx context.Context, cfg cloud.Config, k *kafka.Client) error {
		found, err := mosaic.Find(ctx, mosaic.KafkaGroup(k), c.Args().First())
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return cli.PrintJSON(c.App.Writer, found)
		}
		return printProducts(c.App.Writer, found, cfg.Products)
	})
}

func printProducts(out io.Writer, found []mosaic.Listed, folder string) error {
	w := table(out)
	for _, p := range found {
		w.Printf("%s\t%s\nedge\t%s\nmade\t%s, %.1f s after the first of it\nstate\t%s\nfolder\t%s of %s\nfiles\t%s\nmodels\t%s\n", kind(p.Product), p.Name, orDash(p.Edge),
			p.At.UTC().Format(time.RFC3339), p.Seconds, state(p.Product), p.Folder, folder, strings.Join(p.Files, ", "), orDash(strings.Join(p.Models, ", ")))
		if r := p.Radar; r != nil {
			w.Printf("radar\t%s\nrows\t%d of %d focused, %d of the device's own amplitude alone, %d without data\ntargets\t%d\n", radarSize(r), r.FocusedRows, r.Lines, r.AmplitudeRows, r.EmptyRows, r.Targets)
			if s := p.Scene; s != nil {
				w.Printf("blocks\t%d: %d sent, %d results, %d dead letters, dropped %v\n", s.Tiles, s.Sent, s.Results, s.Dead, s.Dropped)
			}
		} else if s := p.Scene; s != nil {
			w.Printf("size\t%d x %d\ntiles\t%d: %d sent, %d results, %d dead letters, dropped %v\n", s.Width, s.Height, s.Tiles, s.Sent, s.Results, s.Dead, s.Dropped)
		}
		if s := p.Camera; s != nil {
			w.Printf("frames\t%d\ndetections\t%d\nevents\t%d\n", s.Frames, s.Detections, s.Events)
		}
		if p.Failed != "" {
			w.Printf("failed\t%s\n", p.Failed)
		}
		if len(p.Missing) > 0 {
			w.Printf("missing\t%s\n", strings.Join(p.Missing[:min(len(p.Missing), missingShown)], ", "))
		}
		w.Printf("\n")
	}
	return w.Flush()
}
