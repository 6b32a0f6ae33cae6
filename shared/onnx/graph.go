package onnx

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

// Nodes lists the operators of an ONNX file in their order, and the version of the operator set that
// they belong to.
func Nodes(data []byte) (nodes []Node, opset int, err error) {
	err = parts(data, func(num protowire.Number, value []byte) error {
		switch num {
		case ModelOpsets:
			if domain, version, err := OpsetOf(value); domain == "" && err == nil {
				opset = version
			}
		case ModelGraph:
			return nested(value, GraphNode, func(node []byte) error {
				var n Node
				err := parts(node, func(num protowire.Number, value []byte) error {
					switch num {
					case NodeInput:
						n.Inputs = append(n.Inputs, string(value))
					case NodeOutput:
						n.Outputs = append(n.Outputs, string(value))
					case NodeOp:
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

// OpsetOf is a set of operators that a model says it uses.
func OpsetOf(data []byte) (domain string, version int, err error) {
	err = Fields(data, func(f Field) error {
		switch {
		case f.Num == OpsetDomain && f.Kind == protowire.BytesType:
			domain = string(f.Bytes)
		case f.Num == OpsetVersion && f.Kind == protowire.VarintType:
			version = int(min(f.Number, 1<<30))
		}
		return nil
	})
	if domain == "ai.onnx" {
		domain = ""
	}
	return domain, version, err
}

// Extend is an ONNX file whose outputs are those named, with nodes added behind its own. Weights
// stand in nodes of the operator Constant. An output without a shape may have any.
func Extend(data []byte, outputs []TensorInfo, nodes ...Node) ([]byte, error) {
	var graph []byte
	rest, err := without(data, ModelGraph, func(value []byte) { graph = value })
	if err != nil || graph == nil {
		return nil, ErrBroken
	}
	if graph, err = without(graph, GraphOutput, func([]byte) {}); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		graph = AppendMessage(graph, GraphNode, n.encode())
	}
	for _, o := range outputs {
		graph = AppendMessage(graph, GraphOutput, encodeInfo(o))
	}
	return AppendMessage(rest, ModelGraph, graph), nil
}

// encodeInfo is an input or output of float32.
func encodeInfo(o TensorInfo) []byte {
	tensor := AppendNumber(nil, TypeElement, Float32)
	if o.Shape != nil {
		var shape []byte
		for _, d := range o.Shape {
			var dim []byte
			if d > 0 {
				dim = AppendNumber(nil, DimValue, int64(d))
			}
			shape = AppendMessage(shape, ShapeDim, dim)
		}
		tensor = AppendMessage(tensor, TypeShape, shape)
	}
	return AppendMessage(AppendText(nil, ValueName, o.Name), ValueType, AppendMessage(nil, TypeTensor, tensor))
}

func (n Node) encode() (b []byte) {
	for _, in := range n.Inputs {
		b = AppendText(b, NodeInput, in)
	}
	for _, out := range n.Outputs {
		b = AppendText(b, NodeOutput, out)
	}
	b = AppendText(b, NodeName, n.Outputs[0])
	b = AppendText(b, NodeOp, n.Op)
	for _, name := range slices.Sorted(maps.Keys(n.Whole)) {
		a := AppendNumber(AppendText(nil, AttributeName, name), AttributeInt, n.Whole[name])
		b = AppendMessage(b, NodeAttribute, AppendNumber(a, AttributeType, AttributeIsInt))
	}
	for _, name := range slices.Sorted(maps.Keys(n.Wholes)) {
		a := AppendText(nil, AttributeName, name)
		for _, v := range n.Wholes[name] {
			a = AppendNumber(a, AttributeInts, v)
		}
		b = AppendMessage(b, NodeAttribute, AppendNumber(a, AttributeType, AttributeIsInts))
	}
	if n.Value != nil {
		a := AppendMessage(AppendText(nil, AttributeName, "value"), AttributeTensor, n.Value.encode())
		b = AppendMessage(b, NodeAttribute, AppendNumber(a, AttributeType, AttributeIsTensor))
	}
	return b
}

func (c *Constant) encode() []byte {
	var raw []byte
	for _, v := range c.Floats {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	for _, v := range c.Ints {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	element := Float32
	if c.Floats == nil {
		element = Int64
	}
	return AppendMessage(tensorHead(c.Shape, element), TensorRaw, raw)
}

// Tensor is a tensor with its elements as they lie in memory.
func Tensor(name string, shape []int, element int, raw []byte) []byte {
	return AppendMessage(AppendText(tensorHead(shape, element), TensorName, name), TensorRaw, raw)
}

func tensorHead(shape []int, element int) (b []byte) {
	for _, d := range shape {
		b = AppendNumber(b, TensorDims, int64(d))
	}
	return AppendNumber(b, TensorType, int64(element))
}
