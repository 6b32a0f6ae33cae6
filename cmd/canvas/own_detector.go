package main

import (
	"context"
	"errors"
	"strings"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/visible"
)

// isModelFile says whether a detector is given as a file rather than by a model's name.
func isModelFile(detector string) bool { return strings.HasSuffix(strings.ToLower(detector), ".onnx") }

// ownDetector adds the file that --detector names: with the manifest beside it, else with one made from what
// the file says. What was found and guessed is told.
func (j job) ownDetector(ctx context.Context, models *model.Repository) (*model.Repository, error) {
	if !isModelFile(j.detector) {
		return models, nil
	}
	m, err := model.OpenFile(j.detector)
	if errors.Is(err, model.ErrNoManifest) {
		var g model.Guess
		g, err = infer.Recognise(ctx, j.detector, nil, infer.Layout{Sessions: 1, Trials: infer.DefaultMemory()})
		m = g.Model
		for _, f := range g.Found {
			visible.Fprintf(j.say, "model %s: found %s\n", g.Name, f)
		}
		for _, f := range g.Guessed {
			visible.Fprintf(j.say, "model %s: guessed %s\n", g.Name, f)
		}
	}
	if err != nil {
		return nil, cli.Usage(err)
	}
	m.Name = model.NameOf(j.detector)
	return models.With(m), nil
}
