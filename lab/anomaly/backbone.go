package anomaly

import (
	"fmt"
	"slices"

	"cloudcanvas/shared/onnx"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// backbone gives the features of each place of a picture: two of its layers side by side, the coarser
// one stretched to the finer one's grid, each smoothed over 3 x 3 places.
type backbone struct {
	data     []byte // the file as it came
	opset    int
	input    model.Input
	layers   []string // the finer grid first
	widths   []int    // channels of each
	channels int      // of all
	raw      *infer.Raw
}

// strides of the layers that are chosen: fine enough to see a scratch, deep enough to know shapes.
var strides = []int{8, 16}

func openBackbone(o Options) (*backbone, error) {
	name := o.Backbone.Name
	data, _, err := onnx.Read(o.Backbone.Path)
	if err != nil {
		return nil, fmt.Errorf("backbone %s: %w", name, err)
	}
	if err := o.Backbone.VerifyBytes(data); err != nil {
		return nil, err
	}
	b := &backbone{data: data, input: o.Backbone.Input, layers: o.Layers}
	switch {
	case len(b.input.Bands) > 0:
		return nil, fmt.Errorf("backbone %s takes bands; give one for pictures", name)
	case b.input.Layout != "nchw":
		return nil, fmt.Errorf("backbone %s has layout %s; give one of layout nchw", name, b.input.Layout)
	case len(b.input.Size) == 0:
		if len(o.Size) != 2 || o.Size[0] < 32 || o.Size[1] < 32 || o.Size[0] > 4096 || o.Size[1] > 4096 || o.Size[0]%b.input.MultipleOf != 0 || o.Size[1]%b.input.MultipleOf != 0 {
			return nil, fmt.Errorf("backbone %s takes any size: give one, 32 to 4096 and multiples of %d", name, b.input.MultipleOf)
		}
		b.input.Size, b.input.MultipleOf = o.Size, 0
	}
	b.input.Batch = 1
	var nodes []onnx.Node
	if nodes, b.opset, err = onnx.Nodes(data); err != nil {
		return nil, fmt.Errorf("backbone %s: %w", name, err)
	}
	m := model.Model{Manifest: model.Manifest{Name: name, Input: b.input}}
	if err := b.pick(m, nodes, o); err != nil {
		return nil, fmt.Errorf("backbone %s: %w", name, err)
	}
	extended, err := onnx.Extend(data, []onnx.TensorInfo{{Name: featuresOut}}, b.gather()...)
	if err != nil {
		return nil, fmt.Errorf("backbone %s: %w", name, err)
	}
	if b.raw, err = openFile(m, extended, o.Threads, o.Runtime); err != nil {
		return nil, err
	}
	return b, nil
}

// candidates are operators whose outputs may be features: what activations and joints give.
var candidates = []string{"Relu", "LeakyRelu", "Clip", "Mul", "Add", "Concat", "HardSwish", "Conv"}

// pick measures the layers: those named, or of each stride the last before the network gets coarser
// for good, so that no head's layer is taken.
func (b *backbone) pick(m model.Model, nodes []onnx.Node, o Options) error {
	var names []onnx.TensorInfo
	for _, layer := range b.layers {
		names = append(names, onnx.TensorInfo{Name: layer})
	}
	for _, n := range nodes {
		if len(b.layers) == 0 && len(n.Outputs) == 1 && slices.Contains(candidates, n.Op) {
			names = append(names, onnx.TensorInfo{Name: n.Outputs[0]})
		}
	}
	probe, err := onnx.Extend(b.data, names)
	if err != nil {
		return err
	}
	raw, err := openFile(m, probe, o.Threads, o.Runtime)
	if err != nil {
		return fmt.Errorf("its layers %v can't be read: %w", b.layers, err)
	}
	defer raw.Close()
	w, h := b.input.Size[0], b.input.Size[1]
	out, err := raw.Golden(model.GoldenInput{Shape: []int{1, b.input.Channels(), h, w}, Layout: "nchw", High: 1})
	if err != nil {
		return err
	}
	if len(b.layers) == 0 {
		var deepest int // stride, so far
		found := map[int]string{}
		for _, t := range out {
			if len(t.Shape) != 4 || t.Shape[2] == 0 || w%t.Shape[3] != 0 || w/t.Shape[3] != h/t.Shape[2] {
				continue
			}
			if s := w / t.Shape[3]; s >= deepest {
				deepest = s
				found[s] = t.Name
			}
		}
		for _, s := range strides {
			if found[s] == "" {
				return fmt.Errorf("no layer has a grid of 1/%d of the input: name two of its tensors with --layer", s)
			}
			b.layers = append(b.layers, found[s])
		}
	}
	for _, layer := range b.layers {
		t := out[slices.IndexFunc(out, func(t infer.Tensor) bool { return t.Name == layer })]
		if len(t.Shape) != 4 {
			return fmt.Errorf("layer %s is %v, not channels x rows x columns", layer, t.Shape)
		}
		b.widths = append(b.widths, t.Shape[1])
		b.channels += t.Shape[1]
	}
	return b.grids(out)
}

// grids checks that the second layer's grid is the first one's or half of it.
func (b *backbone) grids(out []infer.Tensor) error {
	if len(b.layers) > 2 {
		return fmt.Errorf("%d layers: give one or two", len(b.layers))
	}
	if len(b.layers) == 1 {
		return nil
	}
	shape := func(layer string) []int {
		return out[slices.IndexFunc(out, func(t infer.Tensor) bool { return t.Name == layer })].Shape
	}
	fine, coarse := shape(b.layers[0]), shape(b.layers[1])
	if fine[2] != 2*coarse[2] || fine[3] != 2*coarse[3] {
		return fmt.Errorf("layers %s of %dx%d and %s of %dx%d: the second must have half the grid of the first", b.layers[0], fine[3], fine[2], b.layers[1], coarse[3], coarse[2])
	}
	return nil
}

// features are those of every place, place by place, not yet standardised.
func (b *backbone) features(im vision.Image) ([]float32, error) {
	out, err := b.raw.Image(im)
	if err != nil {
		return nil, err
	}
	t := out[0]
	places := t.Shape[2] * t.Shape[3]
	f := make([]float32, len(t.Data))
	for c := range b.channels {
		for i, v := range t.Data[c*places : (c+1)*places] {
			f[i*b.channels+c] = v
		}
	}
	return f, nil
}

func (b *backbone) close() { b.raw.Close() }
