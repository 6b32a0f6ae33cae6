package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
)

func evalCommand() *urfave.Command {
	return &urfave.Command{Name: "eval", Usage: "measure models, or results made elsewhere, on labelled data",
		Subcommands: []*urfave.Command{evalDetectCommand(), evalMaskCommand(), evalTrackCommand(), evalCascadeCommand()}}
}

// measureFlags are what every evaluation of a model takes.
func measureFlags(more ...urfave.Flag) []urfave.Flag {
	return reportFlags(append(more,
		&urfave.StringFlag{Name: "model", Usage: "a model's `NAME`, or an .onnx `FILE` that says enough of itself"},
		&urfave.StringFlag{Name: "engine", Value: infer.Auto, Usage: "auto, onnxruntime-cpu, openvino-cpu, openvino-int8, opencv-cpu, opencv-cuda, …"},
		&urfave.StringSliceFlag{Name: "models", Usage: "a model repository, or a folder of .onnx files; `DIR`"})...)
}

// reportFlags are what every evaluation takes.
func reportFlags(more ...urfave.Flag) []urfave.Flag {
	return append(more,
		&urfave.StringFlag{Name: "out", Usage: "`DIR` for report.json and pictures of the worst cases"},
		&urfave.IntFlag{Name: "worst", Value: 8, Usage: "how many of the worst cases are pictured"},
		&urfave.BoolFlag{Name: "json", Usage: "the figures as JSON"})
}

// measure is what the evaluations have in common.
type measure struct {
	model, engine string
	named         string // the flag that gives model
	labels        string // names the classes of a model that is a file
	models        []string
	out           string
	worst         int
	json          bool
	say           io.Writer
	log           *slog.Logger
}

func newMeasure(c *urfave.Context) (measure, error) {
	log, err := cli.Logger(c, "warn")
	m := measure{model: c.String("model"), named: "--model", engine: c.String("engine"), models: c.StringSlice("models"), out: c.String("out"), worst: c.Int("worst"), json: c.Bool("json"),
		say: c.App.Writer, log: log}
	if c.Args().Present() {
		return m, cli.Usagef("%q is no option; see %s --help", c.Args().First(), c.Command.HelpName)
	}
	if m.out != "" && err == nil {
		if err := os.MkdirAll(m.out, 0o755); err != nil {
			return m, cli.Usagef("the output folder can't be made: %w; choose another --out", err)
		}
	}
	return m, err
}

// open loads the model that is measured, or the first of its task.
func (m measure) open(ctx context.Context, task model.Task) (*infer.Network, model.Model, infer.Report, error) {
	models, err := model.Open(model.Folders(m.models, cli.Home())...)
	if err != nil {
		return nil, model.Model{}, infer.Report{}, cli.Usage(err)
	}
	noted := m.say
	if m.json { // the report alone stands on stdout
		noted = os.Stderr
	}
	models, name, release, err := given{m.model, m.named, m.labels, noted}.among(ctx, models)
	defer release()
	if err != nil {
		return nil, model.Model{}, infer.Report{}, err
	}
	for _, there := range models.List() {
		if name == "" && there.Task == task && there.Builtin == "" {
			name = there.Name
		}
	}
	if name == "" {
		return nil, model.Model{}, infer.Report{}, cli.Usagef("no model to %s is there; name a folder of models with --models", task)
	}
	found, err := models.Find(name)
	if err != nil {
		return nil, found, infer.Report{}, cli.Usage(err)
	}
	if found.Task != task {
		return nil, found, infer.Report{}, cli.Usagef("model %s is to %s, not to %s; choose another %s", name, found.Task, task, m.named)
	}
	net, report, err := infer.Open(ctx, found, m.engine, infer.Layout{Trials: infer.DefaultMemory()}, m.log)
	return net, found, report, err
}

// finish tells the report: as a table or as JSON, and as a file where there is a folder for it.
func (m measure) finish(report any, table func(io.Writer)) error {
	if m.out != "" {
		if err := writeJSON(filepath.Join(m.out, "report.json"), report); err != nil {
			return err
		}
	}
	if m.json {
		e := json.NewEncoder(m.say)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	table(m.say)
	if m.out != "" {
		fmt.Fprintf(m.say, "\nreport.json and pictures are in %s\n", m.out)
	}
	return nil
}

// maxPicture bounds a picture before it is decoded.
const maxPicture = 1 << 28

// figure is a measured share as a table shows it; -1 is what could not be measured.
func figure(v float64) string {
	if v < 0 {
		return "    -"
	}
	return fmt.Sprintf("%.3f", v)
}
