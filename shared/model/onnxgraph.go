package model

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Node is an operator of an ONNX graph, as far as editing takes it.
type Node struct {
	Op      string
	Inputs  []string
	Outputs []string
	Whole   map[string]int64   // attributes of one whole number
	Wholes  map[string][]int64 // and of several
	Value   *Constant          // of a Constant
}

// Constant is a tensor that stands in the graph: floats, or whole numbers.
type Constant struct {
	Shape  []int
	Floats []float32
	Ints   []int64
}

const (
	modelOpsetDomain  = 1
	modelOpsetVersion = 2
	nodeInput         = 1
	nodeOutput        = 2
	nodeName          = 3
	nodeOp            = 4
	nodeAttribute     = 5
	attributeName     = 1
	attributeInt      = 3
	attributeTensor   = 5
	attributeInts     = 8
	attributeType     = 20
	tensorDims        = 1
	tensorType        = 2
	tensorRaw         = 9
	typeElement       = 1

	kindInt     = 2 // of an attribute
	kindTensor  = 4
	kindInts    = 7
	kindFloat32 = 1 // of a tensor's elements
	kindInt64   = 7
)

// Nodes lists the operators of an ONNX file in their order, and the version of the operator set that
// they belong to.
func Nodes(data []byte) (nodes []Node, opset int, err error) {
	err = fields(data, func(num protowire.Number, value []byte) error {
		switch num {
		case modelOpsets:
			if domain, version := opsetOf(value); domain == "" || domain == "ai.onnx" {
				opset = version
			}
		case modelGraph:
			return nested(value, graphNode, func(node []byte) error {
				var n Node
				err := fields(node, func(num protowire.Number, value []byte) error {
					switch num {
					case nodeInput:
						n.Inputs = append(n.Inputs, string(value))
					case nodeOutput:
						n.Outputs = append(n.Outputs, string(value))
					case nodeOp:
						n.Op = string(value)
					}
					return nil
				})
				nodes = append(nodes, n)
				return err
			})
		}
		return nil
	})
	return nodes, opset, err
}

func opsetOf(data []byte) (domain string, version int) {
	for len(data) > 0 {
		num, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return "", 0
		}
		data = data[n:]
		switch {
		case num == modelOpsetDomain && kind == protowire.BytesType:
			v, _ := protowire.ConsumeString(data)
			domain = v
		case num == modelOpsetVersion && kind == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(data)
			version = int(min(v, 1<<30))
		}
		if n = protowire.ConsumeFieldValue(num, kind, data); n < 0 {
			return "", 0
		}
		data = data[n:]
	}
	return domain, version
}

// Extend is an ONNX file whose outputs are those named, with nodes added behind its own. Weights
// stand in nodes of the operator Constant. An output without a shape may have any.
func Extend(data []byte, outputs []TensorInfo, nodes ...Node) ([]byte, error) {
	var graph []byte
	rest, err := without(data, modelGraph, func(value []byte) { graph = value })
	if err != nil || graph == nil {
		return nil, ErrBroken
	}
	if graph, err = without(graph, graphOutput, func([]byte) {}); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		graph = message(graph, graphNode, n.encode())
	}
	for _, o := range outputs {
		graph = message(graph, graphOutput, encodeInfo(o))
	}
	return message(rest, modelGraph, graph), nil
}

// encodeInfo is an input or output of float32.
func encodeInfo(o TensorInfo) []byte {
	tensor := number64(nil, typeElement, kindFloat32)
	if o.Shape != nil {
		var shape []byte
		for _, d := range o.Shape {
			var dim []byte
			if d > 0 {
				dim = number64(nil, dimValue, int64(d))
			}
			shape = message(shape, shapeDim, dim)
		}
		tensor = message(tensor, tensorShape, shape)
	}
	return message(text(nil, valueName, o.Name), valueType, message(nil, typeTensor, tensor))
}

// without copies a message but for one field.
func without(data []byte, drop protowire.Number, dropped func(value []byte)) ([]byte, error) {
	kept := make([]byte, 0, len(data))
	err := eachField(data, func(num protowire.Number, field, value []byte) error {
		switch {
		case num != drop:
			kept = append(kept, field...)
		case value != nil:
			dropped(value)
		}
		return nil
	})
	return kept, err
}

func (n Node) encode() (b []byte) {
	for _, in := range n.Inputs {
		b = text(b, nodeInput, in)
	}
	for _, out := range n.Outputs {
		b = text(b, nodeOutput, out)
	}
	b = text(b, nodeName, n.Outputs[0])
	b = text(b, nodeOp, n.Op)
	for _, name := range slices.Sorted(maps.Keys(n.Whole)) {
		a := number64(text(nil, attributeName, name), attributeInt, n.Whole[name])
		b = message(b, nodeAttribute, number64(a, attributeType, kindInt))
	}
	for _, name := range slices.Sorted(maps.Keys(n.Wholes)) {
		a := text(nil, attributeName, name)
		for _, v := range n.Wholes[name] {
			a = number64(a, attributeInts, v)
		}
		b = message(b, nodeAttribute, number64(a, attributeType, kindInts))
	}
	if n.Value != nil {
		a := message(text(nil, attributeName, "value"), attributeTensor, n.Value.encode())
		b = message(b, nodeAttribute, number64(a, attributeType, kindTensor))
	}
	return b
}

func (c *Constant) encode() (b []byte) {
	for _, d := range c.Shape {
		b = number64(b, tensorDims, int64(d))
	}
	var raw []byte
	for _, v := range c.Floats {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	for _, v := range c.Ints {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	kind := int64(kindFloat32)
	if c.Floats == nil {
		kind = kindInt64
	}
	return message(number64(b, tensorType, kind), tensorRaw, raw)
}

func message(b []byte, num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), value)
}

func text(b []byte, num protowire.Number, value string) []byte {
	return message(b, num, []byte(value))
}

func number64(b []byte, num protowire.Number, value int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(value))
}
