package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/visible"
)

// isModelFile says whether a detector is given as a file rather than by a model's name.
func isModelFile(detector string) bool { return strings.HasSuffix(strings.ToLower(detector), ".onnx") }

// classNamesFlag is --labels of commands that take a model as a file.
func classNamesFlag(of string) urfave.Flag {
	return &urfave.StringFlag{Name: "labels", Usage: "names of the classes of a " + of + " FILE: a data.yaml, or a `FILE` with one a line; default: those in it or beside it"}
}

// given is a model as a person gives it: by its name, or as an .onnx file.
type given struct {
	model  string    // name or file; empty: none was given
	flag   string    // that named it, for messages
	labels string    // a file that names the classes of a file; empty: those that it has itself
	say    io.Writer // what was found in a file, and what was guessed
}

// among are the models with the one that is given as a file, read with the manifest beside it, else with one
// made from what it says; and its name. release removes what was written for it.
func (o given) among(ctx context.Context, models *model.Repository) (_ *model.Repository, name string, release func(), err error) {
	release = func() {}
	if !isModelFile(o.model) {
		if o.labels != "" {
			return nil, "", release, cli.Usagef("--labels names the classes of an .onnx file that %s gives; those of a model stand in its model.yaml", o.flag)
		}
		return models, o.model, release, nil
	}
	scratch, err := os.MkdirTemp("", "canvas-model-")
	if err != nil {
		return nil, "", release, err
	}
	release = func() { os.RemoveAll(scratch) }
	m, err := o.read(ctx, scratch)
	if err != nil {
		return nil, "", release, cli.Usage(err)
	}
	m.Name = model.NameOf(o.model)
	return models.With(m), m.Name, release, nil
}

// read is the file as a model. A person's labels win over a manifest beside it.
func (o given) read(ctx context.Context, scratch string) (model.Model, error) {
	var labels []string
	if o.labels != "" {
		var err error
		if labels, err = model.ReadLabels(o.labels); err != nil {
			return model.Model{}, err
		}
	}
	m, err := model.OpenFile(o.model)
	if err == nil {
		if labels != nil {
			m.Output.Labels = labels
		}
		return m.InOneFile(scratch)
	}
	if !errors.Is(err, model.ErrNoManifest) {
		return m, err
	}
	g, err := infer.Recognise(ctx, o.model, scratch, labels, infer.Layout{Sessions: 1, Trials: infer.DefaultMemory()})
	if err != nil {
		return m, err
	}
	for _, f := range g.Found {
		visible.Fprintf(o.say, "model %s: found %s\n", g.Name, f)
	}
	for _, f := range g.Guessed {
		visible.Fprintf(o.say, "model %s: guessed %s\n", g.Name, f)
	}
	return g.Model, nil
}

// begin is the logger of a command that takes options alone; its --out folder is made.
func begin(c *urfave.Context) (*slog.Logger, error) {
	log, err := cli.Logger(c, "warn")
	if c.Args().Present() {
		return nil, cli.Usagef("%q is no option; see %s --help", c.Args().First(), c.Command.HelpName)
	}
	if out := c.String("out"); out != "" && err == nil {
		if err := os.MkdirAll(out, 0o755); err != nil {
			return nil, cli.Usagef("the output folder can't be made: %w; choose another --out", err)
		}
	}
	return log, err
}

// opener opens the networks that a command's flags name, with its --models and --engine. named is the flag that
// gives the model; labels, a file, names the classes of a model that is a file.
func opener(c *urfave.Context, log *slog.Logger, named, labels string) func(context.Context, string, model.Task) (*infer.Network, model.Model, infer.Report, error) {
	return func(ctx context.Context, name string, task model.Task) (*infer.Network, model.Model, infer.Report, error) {
		g := given{name, named, labels, c.App.Writer}
		if c.Bool("json") { // the report alone stands on stdout
			g.say = os.Stderr
		}
		found, release, err := g.find(ctx, c.StringSlice("models"), task)
		defer release()
		if err != nil {
			return nil, found, infer.Report{}, err
		}
		net, report, err := infer.Open(ctx, found, c.String("engine"), infer.Layout{Trials: infer.DefaultMemory()}, log)
		return net, found, report, err
	}
}

// find is the model that is given, or the first of its task. release removes what was written for it.
func (o given) find(ctx context.Context, folders []string, task model.Task) (found model.Model, release func(), err error) {
	release = func() {}
	models, err := model.Open(model.Folders(folders, cli.Home())...)
	if err != nil {
		return found, release, cli.Usage(err)
	}
	models, name, release, err := o.among(ctx, models)
	if err != nil {
		return found, release, err
	}
	for _, there := range models.List() {
		if name == "" && there.Task == task && there.Builtin == "" {
			name = there.Name
		}
	}
	if name == "" {
		return found, release, cli.Usagef("no model to %s is there; name a folder of models with --models", task)
	}
	if found, err = models.Find(name); err != nil {
		return found, release, cli.Usage(err)
	}
	if found.Task != task {
		err = cli.Usagef("model %s is to %s, not to %s; choose another %s", name, found.Task, task, o.flag)
	}
	return found, release, err
}
