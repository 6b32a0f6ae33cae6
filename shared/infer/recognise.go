package infer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cloudcanvas/shared/onnx"

	"cloudcanvas/shared/model"
)

// Recognise makes a manifest for a file that has none: of those that its names, shapes and metadata allow,
// the first that fits when a child process runs the network on a made picture. labels are a person's, nil
// where there are none. Weights beside the file are put into one with it, in the folder scratch, where the
// guess then points: it must outlive the guess.
func Recognise(ctx context.Context, path, scratch string, labels []string, l Layout) (model.Guess, error) {
	whole, beside, err := onnx.OneFile(path, scratch)
	if err != nil {
		return model.Guess{}, err
	}
	guesses, err := model.Recognise(whole, path, labels)
	if err != nil {
		return model.Guess{}, err
	}
	var wrong []error
	for _, g := range guesses {
		if len(beside) > 0 {
			g.Found = append(g.Found, fmt.Sprintf("weights in %s beside it", strings.Join(beside, ", ")))
		}
		switch err := Try(ctx, g.Model, l); {
		case err == nil:
			return g, nil
		case !errors.Is(err, ErrMisfit) || ctx.Err() != nil:
			return g, err
		default:
			wrong = append(wrong, fmt.Errorf("as %s: %w", g.Output.Words(), err))
		}
	}
	return model.Guess{}, fmt.Errorf("%s: %w, its values fit none of what its shapes look like: %w; write a model.yaml as docs/models.md shows",
		path, model.ErrUnrecognised, errors.Join(wrong...))
}
