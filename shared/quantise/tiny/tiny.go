// Package tiny makes small networks by hand, for tests of what rewrites and runs them.
package tiny

import (
	"encoding/binary"
	"math"

	"cloudcanvas/shared/onnx"
)

// Options are the ways in which files differ.
type Options struct {
	Half      bool // floats are stored in 16 bits, between casts
	Constants bool // weights are nodes, not initialisers
	Opset     int  // 0: 17
}

// Names of the tensors that Network's convolutions give, in order. The first is the first layer, the
// fourth is grouped, the last is small.
var Convolutions = []string{"stem", "second", "joint", "depthwise", "skipped", "head"}

// Side of the input x (1 x 3 x Side x Side) and of the output y (1 x 3 x Side x Side).
const Side = 32

// Network is a file with all that a quantiser has to know: a normalisation, a Relu, a Clip, a Concat,
// a skip connection, a grouped convolution, biases and none. Weights come from a formula.
//
//	x ─ stem ─ Relu ─┬─ second ─ Norm ─ Relu ─┐
//	                 └──────────────────── Concat ─ joint ─ Clip ─┬─ depthwise ─ skipped ─┐
//	                                                              └────────────────────── Add ─ Relu ─ head ─ y
func Network(o Options) []byte {
	b := builder{Options: o}
	if b.Opset == 0 {
		b.Opset = 17
	}
	from, to := "x", "y"
	if o.Half {
		b.node("Cast", []string{"x"}, "x16", whole("to", 10))
		from, to = "x16", "y16"
	}
	b.conv("stem", from, 16, 3, 3, 1, true)
	b.node("Relu", []string{"stem"}, "stem_relu")
	b.conv("second", "stem_relu", 32, 16, 3, 1, false)
	b.node("BatchNormalization", []string{"second",
		b.weights("scale", []int{32}, 0.3, 1), b.weights("shift", []int{32}, 0.5, 0), b.weights("mean", []int{32}, 0.5, 0), b.weights("variance", []int{32}, 0.4, 1)}, "second_norm")
	b.node("Relu", []string{"second_norm"}, "second_relu")
	b.node("Concat", []string{"stem_relu", "second_relu"}, "both", whole("axis", 1))
	b.conv("joint", "both", 32, 48, 3, 1, true)
	// The bounds stand behind the convolution, as exporters put them.
	constants := b.Constants
	b.Constants = true
	low, high := b.weights("low", nil, 0, 0), b.weights("high", nil, 0, 6)
	b.Constants = constants
	b.node("Clip", []string{"joint", low, high}, "joint_clip")
	b.conv("depthwise", "joint_clip", 32, 1, 3, 32, false)
	b.conv("skipped", "depthwise", 32, 32, 3, 1, true)
	b.node("Add", []string{"skipped", "joint_clip"}, "sum")
	b.node("Relu", []string{"sum"}, "sum_relu")
	b.conv("head", "sum_relu", 3, 32, 1, 1, true)
	if o.Half {
		b.node("Identity", []string{"head"}, to)
		b.node("Cast", []string{to}, "y", whole("to", 1))
	} else {
		b.node("Identity", []string{"head"}, to)
	}
	graph := append(b.nodes, onnx.AppendText(nil, onnx.GraphName, "tiny")...)
	graph = append(graph, b.initializers...)
	graph = onnx.AppendMessage(graph, onnx.GraphInput, value("x"))
	graph = onnx.AppendMessage(graph, onnx.GraphOutput, value("y"))
	file := onnx.AppendNumber(nil, onnx.ModelFormat, 8)
	file = onnx.AppendMessage(file, onnx.ModelGraph, graph)
	return onnx.AppendMessage(file, onnx.ModelOpsets, onnx.AppendNumber(nil, onnx.OpsetVersion, int64(b.Opset)))
}

type builder struct {
	Options
	nodes, initializers []byte
	seed                uint32
}

func (b *builder) node(op string, in []string, out string, attributes ...[]byte) {
	var n []byte
	for _, name := range in {
		n = onnx.AppendText(n, onnx.NodeInput, name)
	}
	n = onnx.AppendText(onnx.AppendText(onnx.AppendText(n, onnx.NodeOutput, out), onnx.NodeName, op+"_"+out), onnx.NodeOp, op)
	for _, a := range attributes {
		n = onnx.AppendMessage(n, onnx.NodeAttribute, a)
	}
	b.nodes = onnx.AppendMessage(b.nodes, onnx.GraphNode, n)
}

func (b *builder) conv(out, in string, outs, ins, side, group int, bias bool) {
	inputs := []string{in, b.weights(out+"_w", []int{outs, ins, side, side}, 2/math.Sqrt(float64(ins*side*side)), 0)}
	if bias {
		inputs = append(inputs, b.weights(out+"_b", []int{outs}, 0.2, 0))
	}
	p := side / 2
	b.node("Conv", inputs, out, whole("group", group), several("kernel_shape", side, side), several("pads", p, p, p, p))
}

// weights adds a tensor of values around a centre, up to reach from it.
func (b *builder) weights(name string, dims []int, reach, centre float64) string {
	n := 1
	for _, d := range dims {
		n *= d
	}
	element := onnx.Float32
	if b.Half {
		element = onnx.Float16
	}
	var raw []byte
	for range n {
		b.seed = b.seed*1664525 + 1013904223
		v := float32(centre + reach*(float64(b.seed>>8)/(1<<23)-1))
		if b.Half {
			raw = binary.LittleEndian.AppendUint16(raw, half(v))
		} else {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	}
	t := onnx.Tensor(name, dims, element, raw)
	if b.Constants {
		a := onnx.AppendMessage(onnx.AppendText(nil, onnx.AttributeName, "value"), onnx.AttributeTensor, t)
		b.node("Constant", nil, name, onnx.AppendNumber(a, onnx.AttributeType, onnx.AttributeIsTensor))
	} else {
		b.initializers = onnx.AppendMessage(b.initializers, onnx.GraphInitializer, t)
	}
	return name
}

// half cuts the mantissa off; the values here are neither huge nor tiny.
func half(v float32) uint16 {
	bits := math.Float32bits(v)
	exponent := int(bits>>23&255) - 112
	if exponent <= 0 {
		return uint16(bits >> 16 & 0x8000)
	}
	return uint16(bits>>16&0x8000) | uint16(exponent)<<10 | uint16(bits>>13&1023)
}

// value is an input or output of float32.
func value(name string) []byte {
	var shape []byte
	for _, d := range []int{1, 3, Side, Side} {
		shape = onnx.AppendMessage(shape, onnx.ShapeDim, onnx.AppendNumber(nil, onnx.DimValue, int64(d)))
	}
	tensor := onnx.AppendMessage(onnx.AppendNumber(nil, onnx.TypeElement, onnx.Float32), onnx.TypeShape, shape)
	return onnx.AppendMessage(onnx.AppendText(nil, onnx.ValueName, name), onnx.ValueType, onnx.AppendMessage(nil, onnx.TypeTensor, tensor))
}

func whole(name string, v int) []byte {
	return onnx.AppendNumber(onnx.AppendNumber(onnx.AppendText(nil, onnx.AttributeName, name), onnx.AttributeInt, int64(v)), onnx.AttributeType, onnx.AttributeIsInt)
}

func several(name string, values ...int) []byte {
	a := onnx.AppendText(nil, onnx.AttributeName, name)
	for _, v := range values {
		a = onnx.AppendNumber(a, onnx.AttributeInts, int64(v))
	}
	return onnx.AppendNumber(a, onnx.AttributeType, onnx.AttributeIsInts)
}
