package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// Adapted ends the name of an output that was turned into float32, and of an input that is now given as
// float32 in four dimensions.
const Adapted = "/as-float32"

// Adapt makes of a file as exporters write it one as engines are fed: one input of float32 in four
// dimensions, outputs of float32. An input of bytes, of float16 or without a batch is turned into that, a
// second input that only says how large the picture is becomes a constant, and outputs of whole numbers or
// float16 get a cast behind them. size is the network's input in pixels, width and height; 0: any. A file
// that needs none of it is given back as it is.
func Adapt(data []byte, sig Signature, size [2]int) ([]byte, Signature, error) {
	image, sizes, err := InputsOf(sig, size)
	if err != nil {
		return nil, sig, err
	}
	var before []Node
	gone := map[string]bool{}
	in := sig.Inputs[image]
	if in.Type != 0 && in.Type != Float32 || len(in.Shape) == 3 {
		nodes, err := feed(in, size)
		if err != nil {
			return nil, sig, err
		}
		before, gone[in.Name] = append(before, nodes...), true
	}
	for _, s := range sizes {
		before, gone[s.Name] = append(before, Node{Op: "Constant", Outputs: []string{s.Name}, Value: s.Value}), true
	}
	outputs, after := floating(sig.Outputs)
	if len(before)+len(after) == 0 {
		return data, sig, nil
	}
	if gone[in.Name] {
		in = TensorInfo{in.Name + Adapted, in.Shape, Float32}
		if len(in.Shape) == 3 {
			in.Shape = append([]int{1}, in.Shape...)
		}
	}
	if data, err = Extend(data, outputs, after...); err != nil {
		return nil, sig, err
	}
	if data, err = begin(data, in, gone, before); err != nil {
		return nil, sig, err
	}
	return data, Signature{Inputs: []TensorInfo{in}, Outputs: outputs, Nodes: sig.Nodes + len(before) + len(after)}, nil
}

// ConstantInput is an input that says the same of every picture.
type ConstantInput struct {
	Name  string
	Value *Constant
}

// InputsOf finds the image among the inputs, and what becomes of the others.
func InputsOf(sig Signature, size [2]int) (image int, others []ConstantInput, err error) {
	image = -1
	for i, in := range sig.Inputs {
		if value := sizeInput(in, size); value != nil {
			others = append(others, ConstantInput{in.Name, value})
		} else if image < 0 {
			image = i
		} else {
			return 0, nil, fmt.Errorf("takes %d inputs, %s; only networks of one image are run, with orig_target_sizes or im_shape and scale_factor beside it", len(sig.Inputs), Shapes(sig.Inputs))
		}
	}
	if image < 0 {
		return 0, nil, fmt.Errorf("takes no image among its inputs %s", Shapes(sig.Inputs))
	}
	if len(others) > 0 && size[0] <= 0 {
		return 0, nil, fmt.Errorf("takes the picture's size as input %s: write input.size", others[0].Name)
	}
	return image, others, nil
}

// sizeInput is what an input is given that tells the picture's size, or nil where it is another: boxes are to
// come out in pixels of the network's input. RT-DETR and D-FINE call it orig_target_sizes, PaddleDetection
// im_shape and scale_factor.
func sizeInput(in TensorInfo, size [2]int) *Constant {
	if len(in.Shape) != 2 || in.Shape[0] > 1 || in.Shape[1] != 2 && in.Shape[1] != -1 {
		return nil
	}
	var values [2]int
	switch in.Name {
	case "orig_target_sizes":
		values = size
	case "im_shape":
		values = [2]int{size[1], size[0]}
	case "scale_factor":
		values = [2]int{1, 1}
	default:
		return nil
	}
	c := &Constant{Shape: []int{1, 2}}
	if in.Type == Float32 {
		c.Floats = []float32{float32(values[0]), float32(values[1])}
	} else {
		c.Ints = []int64{int64(values[0]), int64(values[1])}
	}
	return c
}

// feed are the nodes between float32 in four dimensions and what the file takes.
func feed(in TensorInfo, size [2]int) (nodes []Node, err error) {
	if !slices.Contains([]int{0, Float32, Float16, Uint8}, in.Type) {
		return nil, fmt.Errorf("takes values of type %d at input %s; float32, float16 and bytes are given", in.Type, in.Name)
	}
	from := in.Name + Adapted
	cast := Node{Op: "Cast", Inputs: []string{from}, Outputs: []string{in.Name}, Whole: map[string]int64{"to": int64(in.Type)}}
	if len(in.Shape) != 3 {
		return []Node{cast}, nil
	}
	channels := in.Shape[0]
	if channels != 1 && channels != 3 || size[0] <= 0 {
		return nil, fmt.Errorf("takes %v at input %s; a picture without a batch is channels x height x width, with input.size", in.Shape, in.Name)
	}
	flat, shape := in.Name, from+"/shape"
	if in.Type != 0 && in.Type != Float32 {
		flat = from + "/flat"
		cast.Inputs = []string{flat}
		nodes = append(nodes, cast)
	}
	reshape := []Node{
		{Op: "Constant", Outputs: []string{shape}, Value: &Constant{Shape: []int{3}, Ints: []int64{int64(channels), int64(size[1]), int64(size[0])}}},
		{Op: "Reshape", Inputs: []string{from, shape}, Outputs: []string{flat}},
	}
	return append(reshape, nodes...), nil
}

// floating are the outputs as float32, and the nodes that make them so.
func floating(outputs []TensorInfo) (all []TensorInfo, casts []Node) {
	for _, o := range outputs {
		if o.Type != 0 && o.Type != Float32 && o.Type != String {
			casts = append(casts, Node{Op: "Cast", Inputs: []string{o.Name}, Outputs: []string{o.Name + Adapted}, Whole: map[string]int64{"to": Float32}})
			o.Name, o.Type = o.Name+Adapted, Float32
		}
		all = append(all, o)
	}
	return all, casts
}

// Plain is an output's name as the file has it.
func Plain(name string) string { return strings.TrimSuffix(name, Adapted) }

// begin is the file with nodes before all others, and without the inputs that they stand for. in is the one
// that is left.
func begin(data []byte, in TensorInfo, gone map[string]bool, nodes []Node) ([]byte, error) {
	if len(nodes) == 0 {
		return data, nil
	}
	var graph []byte
	rest, err := without(data, ModelGraph, func(value []byte) { graph = value })
	if err != nil {
		return nil, err
	}
	var inputs [][]byte
	var broken error
	graph, err = without(graph, GraphInput, func(value []byte) {
		t, err := ParseInfo(value)
		if err != nil {
			broken = err
		} else if !gone[t.Name] {
			inputs = append(inputs, value)
		}
	})
	if err != nil || broken != nil {
		return nil, ErrBroken
	}
	var first []byte
	for _, n := range nodes {
		first = AppendMessage(first, GraphNode, n.encode())
	}
	graph = append(first, graph...)
	if strings.HasSuffix(in.Name, Adapted) {
		inputs = append(inputs, encodeInfo(in))
	}
	for _, i := range inputs {
		graph = AppendMessage(graph, GraphInput, i)
	}
	return AppendMessage(rest, ModelGraph, graph), nil
}
