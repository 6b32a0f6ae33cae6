package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/visible"
)

// isModelFile says whether a detector is given as a file rather than by a model's name.
func isModelFile(detector string) bool { return strings.HasSuffix(strings.ToLower(detector), ".onnx") }

// ownDetector adds the file that --detector names: with the manifest beside it, else with one made from what
// the file says. What was found and guessed is told. release removes what was written for it.
func (j job) ownDetector(ctx context.Context, models *model.Repository) (_ *model.Repository, release func(), err error) {
	release = func() {}
	if !isModelFile(j.detector) {
		if j.labels != "" {
			return nil, release, cli.Usagef("--labels names the classes of an .onnx file that --detector gives; those of a model stand in its model.yaml")
		}
		return models, release, nil
	}
	scratch, err := os.MkdirTemp("", "canvas-model-")
	if err != nil {
		return nil, release, err
	}
	release = func() { os.RemoveAll(scratch) }
	m, err := j.readOwn(ctx, scratch)
	if err != nil {
		return nil, release, cli.Usage(err)
	}
	m.Name = model.NameOf(j.detector)
	return models.With(m), release, nil
}

// readOwn is the file as a model. A person's labels win over a manifest beside it.
func (j job) readOwn(ctx context.Context, scratch string) (model.Model, error) {
	var labels []string
	if j.labels != "" {
		var err error
		if labels, err = model.ReadLabels(j.labels); err != nil {
			return model.Model{}, err
		}
	}
	m, err := model.OpenFile(j.detector)
	if err == nil {
		if labels != nil {
			m.Output.Labels = labels
		}
		return m.InOneFile(scratch)
	}
	if !errors.Is(err, model.ErrNoManifest) {
		return m, err
	}
	g, err := infer.Recognise(ctx, j.detector, scratch, labels, infer.Layout{Sessions: 1, Trials: infer.DefaultMemory()})
	if err != nil {
		return m, err
	}
	for _, f := range g.Found {
		visible.Fprintf(j.say, "model %s: found %s\n", g.Name, f)
	}
	for _, f := range g.Guessed {
		visible.Fprintf(j.say, "model %s: guessed %s\n", g.Name, f)
	}
	return g.Model, nil
}
