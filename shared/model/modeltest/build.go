// Package modeltest makes ONNX files that no honest exporter makes, for the tests of whatever opens models.
package modeltest

import (
	"encoding/binary"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// A message of onnx.proto3 is written field by field.
type message []byte

func (m message) bytes(num protowire.Number, value []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, num, protowire.BytesType), value)
}

func (m message) text(num protowire.Number, value string) message { return m.bytes(num, []byte(value)) }

func (m message) number(num protowire.Number, value int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, num, protowire.VarintType), uint64(value))
}

const (
	floats = 1
	bytes8 = 2
	ints   = 7
	bools  = 9
)

// tensor has weights of its own.
func tensor(name string, kind int64, raw []byte, dims ...int64) (m message) {
	for _, d := range dims {
		m = m.number(1, d)
	}
	return m.number(2, kind).text(8, name).bytes(9, raw)
}

func whole(name string, values ...int64) message {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return tensor(name, ints, raw, int64(len(values)))
}

func scalar(name string, value int64) message {
	return tensor(name, ints, binary.LittleEndian.AppendUint64(nil, uint64(value)))
}

func truth(name string) message { return tensor(name, bools, []byte{1}) }

func real32(name string, value float32) message {
	return tensor(name, floats, binary.LittleEndian.AppendUint32(nil, math.Float32bits(value)), 1)
}

// elsewhere keeps its weights in another file.
func elsewhere(name, location string, dims ...int64) (m message) {
	return external(name, location, bytes8, 0, 64, dims)
}

// apart are floats in another file.
func apart(name, location string, offset, length int, dims ...int64) message {
	return external(name, location, floats, offset, length, dims)
}

func external(name, location string, kind int64, offset, length int, dims []int64) (m message) {
	for _, d := range dims {
		m = m.number(1, d)
	}
	m = m.number(2, kind).text(8, name)
	for _, entry := range [][2]string{{"location", location}, {"offset", strconv.Itoa(offset)}, {"length", strconv.Itoa(length)}} {
		m = m.bytes(13, message{}.text(1, entry[0]).text(2, entry[1]))
	}
	return m.number(14, 1)
}

// node is an operator; attributes are whole messages.
func node(op string, inputs, outputs []string, attributes ...message) (m message) {
	for _, in := range inputs {
		m = m.text(1, in)
	}
	for _, out := range outputs {
		m = m.text(2, out)
	}
	m = m.text(3, op+" of "+outputs[0]).text(4, op)
	for _, a := range attributes {
		m = m.bytes(5, a)
	}
	return m
}

func one(op, in, out string, attributes ...message) message {
	return node(op, []string{in}, []string{out}, attributes...)
}

func two(op, a, b, out string) message { return node(op, []string{a, b}, []string{out}) }

func constant(out string, value message) message {
	return node("Constant", nil, []string{out}, tensorAttribute("value", value))
}

func tensorAttribute(name string, value message) message {
	return message{}.text(1, name).bytes(5, value).number(20, 4)
}

func graphAttribute(name string, graph message) message {
	return message{}.text(1, name).bytes(6, graph).number(20, 5)
}

func intAttribute(name string, value int64) message {
	return message{}.text(1, name).number(3, value).number(20, 2)
}

// value is an input or an output; dims nil: of any shape.
func value(name string, kind int64, dims []int64) message {
	t := message{}.number(1, kind)
	if dims != nil {
		var shape message
		for _, d := range dims {
			dim := message{}.number(1, d)
			if d == 0 { // free
				dim = nil
			}
			shape = shape.bytes(1, dim)
		}
		t = t.bytes(2, shape)
	}
	return message{}.text(1, name).bytes(2, message{}.bytes(1, t))
}

// graph is what a network or a part of it does.
type graph struct {
	nodes, weights, sparse []message
	inputs, outputs        []message
}

func (g graph) encode() (m message) {
	for _, n := range g.nodes {
		m = m.bytes(1, n)
	}
	m = m.text(2, "g")
	for _, w := range g.weights {
		m = m.bytes(5, w)
	}
	for _, s := range g.sparse {
		m = m.bytes(15, s)
	}
	for _, i := range g.inputs {
		m = m.bytes(11, i)
	}
	for _, o := range g.outputs {
		m = m.bytes(12, o)
	}
	return m
}

const (
	side   = 32
	labels = 64
)

// network takes a picture x and gives y, 64 numbers.
func network(nodes []message, weights ...message) []byte {
	return file(graph{nodes: nodes, weights: weights})
}

func file(g graph, more ...func(message) message) []byte {
	g.inputs = append(g.inputs, value("x", floats, []int64{1, 3, side, side}))
	g.outputs = append(g.outputs, value("y", floats, []int64{1, labels}))
	m := message{}.number(1, 8).bytes(7, g.encode()).bytes(8, message{}.text(1, "").number(2, 17))
	for _, add := range more {
		m = add(m)
	}
	return m
}
