package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud/feed"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/visible"
)

func submitCommand() *urfave.Command {
	return &urfave.Command{Name: "submit", ArgsUsage: "FILE|FOLDER|GLOB|URL …",
		Usage: "feed stored scenes and images to the workers; live work goes before them",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "as", Value: "submit", Usage: "the device's `NAME` that the items bear"},
			&urfave.StringFlag{Name: "bands", Usage: "names of the bands in the scenes' order, where they have none: blue,green,red,nir,swir16,swir22"},
			&urfave.Float64Flag{Name: "reflectance-scale", Usage: "stored number to reflectance, where the scenes do not say"},
			&urfave.StringFlag{Name: "want", Value: "detect", Usage: "what images are for: a `want` of worker.models or worker.pipelines"},
			&urfave.Int64Flag{Name: "depth", Value: 16, Usage: "length that the backlog of the workers may have, live items counted: what live work waits for at most"},
			cli.JSONFlag},
		Action: func(c *urfave.Context) error {
			if !c.Args().Present() {
				return cli.Usagef("name files, folders, globs or addresses such as s3://bucket/folder/")
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			s := submission{by: c.String("as"), want: c.String("want"), say: c.App.ErrWriter,
				options: capture.SceneOptions{Overlap: 24, Margin: 51, Options: raster.Options{ReflectanceScale: c.Float64("reflectance-scale")}}}
			if c.String("bands") != "" {
				s.options.Bands = strings.Split(c.String("bands"), ",")
			}
			if c.Int64("depth") < 1 {
				return cli.Usagef("--depth %d: give 1 or more", c.Int64("depth"))
			}
			s.seen = cfg.Worker.Answers(s.want)
			k, err := dialKafka(cfg)
			if err != nil {
				return err
			}
			defer k.Close()
			if err := pingKafka(c.Context, cfg, k, event.WorkTopic); err != nil {
				return err
			}
			objects, err := store.Open(c.Context, cfg.Store)
			if err != nil {
				return err
			}
			defer objects.Close()
			s.feeder = &feed.Feeder{Log: k, Objects: objects, Group: worker.Group, Depth: c.Int64("depth"), Poll: 200 * time.Millisecond}
			if err := s.run(c.Context, c.Args().Slice()); err != nil {
				return err
			}
			return s.finish(c)
		}}
}

// submission is one run of submit.
type submission struct {
	feeder   *feed.Feeder
	by, want string
	seen     bool // a model of the workers sees images
	options  capture.SceneOptions
	say      io.Writer

	names  map[string]string // scenes of this run by their name
	report submitReport
}

type submitReport struct {
	Submitted int             `json:"submitted"` // files
	Skipped   int             `json:"skipped"`   // that were submitted before
	Items     int             `json:"items"`
	Bytes     int64           `json:"bytes"`
	Failed    []submitFailure `json:"failed"`
}

type submitFailure struct {
	File    string `json:"file"`
	Problem string `json:"problem"`
}

// run submits one file after the other. A file that can't be submitted is reported, and the others go on.
func (s *submission) run(ctx context.Context, arguments []string) error {
	s.names, s.report.Failed = map[string]string{}, []submitFailure{}
	for _, argument := range arguments {
		for file, err := range stored(ctx, argument) {
			if err == nil {
				err = s.file(ctx, file)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				visible.Fprintf(s.say, "%s is left out, or a part of it: %v\n", file.name, err)
				s.report.Failed = append(s.report.Failed, submitFailure{file.name, err.Error()})
			}
		}
	}
	return nil
}

// file submits one file, once.
func (s *submission) file(ctx context.Context, f storedFile) error {
	mark, err := s.feeder.Begin(ctx, s.by, f.name, f.sum, time.Now())
	if err != nil {
		return err
	}
	if !mark.Done.IsZero() {
		visible.Fprintf(s.say, "%s was submitted on %s\n", f.name, mark.Done.Format(time.DateTime))
		s.report.Skipped++
		return nil
	}
	one := sending{submission: s, mark: mark}
	if f.image {
		err = one.image(ctx, f)
	} else {
		err = one.scene(ctx, f)
	}
	if err != nil {
		return err
	}
	if err := s.feeder.Finish(ctx, mark, int(one.items.Load()), time.Now()); err != nil {
		return err
	}
	s.report.Submitted++
	s.report.Items += int(one.items.Load())
	s.report.Bytes += one.bytes.Load()
	visible.Fprintf(s.say, "%s: %d items\n", f.name, one.items.Load())
	if one.left != "" {
		return errors.New("it was submitted in part: " + one.left)
	}
	return nil
}

func (s *submission) finish(c *urfave.Context) error {
	if c.Bool("json") {
		if err := cli.PrintJSON(c.App.Writer, s.report); err != nil {
			return err
		}
	} else {
		visible.Fprintf(c.App.Writer, "%d files in %d items submitted, %d skipped, %d left out\n", s.report.Submitted, s.report.Items, s.report.Skipped, len(s.report.Failed))
	}
	if n := len(s.report.Failed); n > 0 {
		return cli.Incompletef("%d files are left out, or parts of them", n)
	}
	return nil
}

// noLog is for what reports through other ways.
var noLog = slog.New(slog.DiscardHandler)
