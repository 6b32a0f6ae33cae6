package model

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML is the guess as a model.yaml, which says what was found and what was guessed.
func (g Guess) YAML() ([]byte, error) {
	var text strings.Builder
	note := func(head string, list []string) {
		for _, l := range list {
			fmt.Fprintf(&text, "# %s: %s\n", head, strings.Map(printable, l))
		}
	}
	note("found", g.Found)
	note("guessed", g.Guessed)
	body, err := yaml.Marshal(g.written())
	if err != nil {
		return nil, fmt.Errorf("model.yaml of %s: %w", g.Name, err)
	}
	text.Write(body)
	return []byte(text.String()), nil
}

// printable keeps a comment on its line.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
		return ' '
	}
	return r
}

// written is what a person would have written: no defaults that go without saying.
func (g Guess) written() map[string]any {
	in, out := map[string]any{"colour": g.Input.Colour, "size": g.Input.Size, "fit": g.Input.Fit}, map[string]any{"decoder": g.Output.Decoder, "labels": g.Output.Labels}
	put := func(to map[string]any, key string, value any, say bool) {
		if say {
			to[key] = value
		}
	}
	put(in, "pad", g.Input.Pad, g.Input.Pad != 0)
	put(in, "mean", g.Input.Mean, len(g.Input.Mean) > 1 || g.Input.Mean[0] != 0)
	put(in, "std", g.Input.Std, len(g.Input.Std) > 1 || g.Input.Std[0] != 1)
	put(in, "layout", g.Input.Layout, g.Input.Layout != "nchw")
	put(in, "antialias", true, g.Input.Antialias && g.Input.Fit != FitCrop)
	put(in, "multiple_of", g.Input.MultipleOf, g.Input.MultipleOf != 0)
	put(in, "batch", g.Input.Batch, g.Input.Batch != 1)
	usual := rows[g.Output.Decoder]
	put(out, "boxes", g.Output.Boxes, g.Output.Boxes != usual.boxes && !g.Output.Angle)
	put(out, "unit", g.Output.Unit, g.Output.Unit != usual.unit)
	put(out, "nms_iou", g.Output.NMSIoU, usual.nms != 0 && g.Output.NMSIoU != usual.nms)
	put(out, "activation", g.Output.Activation, g.Output.Activation != "probabilities")
	put(out, "columns", g.Output.Columns, len(g.Output.Columns) > 0)
	put(out, "strides", g.Output.Strides, !slices.Equal(g.Output.Strides, strides[g.Output.Decoder]))
	put(out, "extra", g.Output.Extra, g.Output.Extra != 0 && !g.Output.Angle && len(g.Output.Keypoints) == 0)
	put(out, "angle", true, g.Output.Angle)
	put(out, "keypoints", g.Output.Keypoints, len(g.Output.Keypoints) > 0)
	put(out, "masks", true, g.Output.Masks)
	put(out, "clip", true, g.Output.Clip)
	put(out, "first_class", g.Output.FirstClass, g.Output.FirstClass != 0)
	put(out, "tensors", g.Output.Tensors, len(g.Output.Tensors) > 0)
	all := map[string]any{"name": g.Name, "task": g.Task, "sha256": g.SHA256, "input": in, "output": out}
	put(all, "source", g.Source, g.Source != "")
	put(all, "licence", g.Licence, g.Licence != "")
	return all
}
