// Package tiny makes small networks by hand, for tests of what rewrites and runs them.
package tiny

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
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
	graph := append(b.nodes, message(nil, 2, []byte("tiny"))...)
	graph = append(graph, b.initializers...)
	graph = message(graph, 11, value("x"))
	graph = message(graph, 12, value("y"))
	file := number(nil, 1, 8) // the format's version
	file = message(file, 7, graph)
	return message(file, 8, number(nil, 2, uint64(b.Opset)))
}

type builder struct {
	Options
	nodes, initializers []byte
	seed                uint32
}

func (b *builder) node(op string, in []string, out string, attributes ...[]byte) {
	var n []byte
	for _, name := range in {
		n = message(n, 1, []byte(name))
	}
	n = message(message(message(n, 2, []byte(out)), 3, []byte(op+"_"+out)), 4, []byte(op))
	for _, a := range attributes {
		n = message(n, 5, a)
	}
	b.nodes = message(b.nodes, 1, n)
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
	var t []byte
	for _, d := range dims {
		n *= d
		t = number(t, 1, uint64(d))
	}
	kind := 1
	if b.Half {
		kind = 10
	}
	t = number(t, 2, uint64(kind))
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
	t = message(message(t, 8, []byte(name)), 9, raw)
	if b.Constants {
		a := message(message(nil, 1, []byte("value")), 5, t)
		b.node("Constant", nil, name, number(a, 20, 4))
	} else {
		b.initializers = message(b.initializers, 5, t)
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
		shape = message(shape, 1, number(nil, 1, uint64(d)))
	}
	tensor := message(number(nil, 1, 1), 2, shape)
	return message(message(nil, 1, []byte(name)), 2, message(nil, 1, tensor))
}

func whole(name string, v int) []byte {
	return number(number(message(nil, 1, []byte(name)), 3, uint64(v)), 20, 2)
}

func several(name string, values ...int) []byte {
	a := message(nil, 1, []byte(name))
	for _, v := range values {
		a = number(a, 8, uint64(v))
	}
	return number(a, 20, 7)
}

func message(b []byte, num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), value)
}

func number(b []byte, num protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), value)
}
