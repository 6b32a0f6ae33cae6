package main

import (
	"context"
	"errors"
	"io"
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
