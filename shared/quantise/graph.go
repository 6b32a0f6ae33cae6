package quantise

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"cloudcanvas/shared/model"
)

// Fields of onnx.proto3's ModelProto, GraphProto, NodeProto, AttributeProto and ValueInfoProto.
const (
	modelGraph       = 7
	modelOpsets      = 8
	opsetDomain      = 1
	opsetVersion     = 2
	graphNode        = 1
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	graphValue       = 13
	nodeInput        = 1
	nodeOutput       = 2
	nodeName         = 3
	nodeOp           = 4
	nodeAttribute    = 5
	nodeDomain       = 7
	attributeName    = 1
	attributeFloat   = 2
	attributeInt     = 3
	attributeTensor  = 5
	attributeGraph   = 6
	attributeInts    = 8
	attributeGraphs  = 11
	attributeType    = 20
	attributeIsInt   = 2 // what attributeType says of one whole number
	valueName        = 1
	valueType        = 2
	typeTensor       = 1
	typeElement      = 1
)

// graph is an ONNX file taken apart as far as rewriting needs it.
type graph struct {
	rest    []byte // the model but for its graph
	body    []byte // the graph but for nodes, weights, shapes in between and weights among the inputs
	nodes   []*node
	weights []*tensor // initialisers
	consts  map[string]*tensor
	outputs map[string]bool
	opset   int
	half    bool // some floats are stored in 16 bits
}

// read takes a file apart. A file of float16 is meant to be computed in float32, as CPUs do.
func read(data []byte) (*graph, error) {
	g := &graph{consts: map[string]*tensor{}, outputs: map[string]bool{}}
	var body []byte
	err := fields(data, func(f field) error {
		if f.num == modelGraph {
			body = f.bytes
			return nil
		}
		if f.num == modelOpsets {
			var domain string
			var version int
			if err := fields(f.bytes, func(f field) error {
				switch f.num {
				case opsetDomain:
					domain = string(f.bytes)
				case opsetVersion:
					version = int(f.number)
				}
				return nil
			}); err != nil {
				return err
			}
			if domain == "" || domain == "ai.onnx" {
				g.opset = version
			}
		}
		g.rest = append(g.rest, f.copied...)
		return nil
	})
	if err != nil || body == nil {
		return nil, model.ErrBroken
	}
	var inputs []field
	err = fields(body, func(f field) error {
		switch f.num {
		case graphNode:
			n, err := readNode(f.bytes)
			g.nodes = append(g.nodes, n)
			if err == nil && n.op == "Constant" && n.value != nil && len(n.out) == 1 {
				g.consts[n.out[0]] = n.value
			}
			if err == nil && n.value != nil {
				g.half = g.half || n.value.kind == kindFloat16
			}
			return err
		case graphInitializer:
			t, err := readTensor(f.bytes)
			g.weights = append(g.weights, &t)
			g.consts[t.name] = &t
			g.half = g.half || t.kind == kindFloat16
			return err
		case graphValue: // their types change; engines find them again
		case graphInput:
			inputs = append(inputs, f)
		default:
			if f.num == graphOutput {
				name, err := floatValue(f.bytes)
				if err != nil {
					return err
				}
				g.outputs[name] = true
			}
			g.body = append(g.body, f.copied...)
		}
		return nil
	})
	for _, f := range inputs {
		name, kindErr := floatValue(f.bytes)
		if g.consts[name] != nil {
			continue // old exporters list weights here, where engines take them for changeable
		}
		err = errors.Join(err, kindErr)
		g.body = append(g.body, f.copied...)
	}
	if err != nil {
		return nil, err
	}
	if g.half {
		for _, n := range g.nodes {
			if n.nested {
				return nil, fmt.Errorf("it is stored in float16 and has an operator %s with a graph of its own; save it as float32", n.op)
			}
		}
		g.foldHalf()
		g.prune()
	}
	return g, nil
}

// floatValue is the name of an input or output, which must not be of float16: networks are fed in float32.
func floatValue(body []byte) (name string, err error) {
	kind := uint64(0)
	err = fields(body, func(f field) error {
		switch f.num {
		case valueName:
			name = string(f.bytes)
		case valueType:
			return fields(f.bytes, func(f field) error {
				if f.num != typeTensor {
					return nil
				}
				return fields(f.bytes, func(f field) error {
					if f.num == typeElement {
						kind = f.number
					}
					return nil
				})
			})
		}
		return nil
	})
	if err == nil && kind == kindFloat16 {
		err = fmt.Errorf("%s is float16; export the network with float32 inputs and outputs", name)
	}
	return name, err
}

// prune drops weights that nothing reads any more. Graphs inside operators may read any.
func (g *graph) prune() {
	used := maps.Clone(g.outputs)
	for _, n := range g.nodes {
		if n.nested {
			return
		}
		for _, in := range n.in {
			used[in] = true
		}
	}
	g.weights = slices.DeleteFunc(g.weights, func(t *tensor) bool { return !used[t.name] })
	g.nodes = slices.DeleteFunc(g.nodes, func(n *node) bool { return n.op == "Constant" && len(n.out) == 1 && !used[n.out[0]] })
}

// encode puts the file together again, all floats in 32 bits.
func (g *graph) encode(added [][]byte) ([]byte, error) {
	size := len(g.body)
	for _, t := range g.weights {
		size += 2*len(t.body) + 64
	}
	for _, n := range g.nodes {
		size += len(n.body) + 16
	}
	body := make([]byte, 0, size)
	for _, n := range g.nodes {
		wide, err := g.wide(n)
		if err != nil {
			return nil, err
		}
		body = message(body, graphNode, wide)
	}
	body = append(body, g.body...)
	for _, t := range g.weights {
		wide, err := t.widened()
		if err != nil {
			return nil, err
		}
		body = message(body, graphInitializer, wide)
	}
	for _, t := range added {
		body = message(body, graphInitializer, t)
	}
	return message(append(make([]byte, 0, len(g.rest)+len(body)+16), g.rest...), modelGraph, body), nil
}

// wide is a node whose tensors and targets of float16 are float32 ones. A cast that has lost its
// meaning is left to the engine, which drops it.
func (g *graph) wide(n *node) ([]byte, error) {
	target := n.one("to", n.one("dtype", 0)) == kindFloat16
	if !g.half || !target && (n.value == nil || n.value.kind != kindFloat16) {
		return n.body, nil
	}
	var body []byte
	err := fields(n.body, func(f field) error {
		if f.num != nodeAttribute {
			body = append(body, f.copied...)
			return nil
		}
		var attribute []byte
		var name string
		err := fields(f.bytes, func(f field) error {
			switch {
			case f.num == attributeName:
				name = string(f.bytes)
			case f.num == attributeInt && (name == "to" || name == "dtype") && f.number == kindFloat16:
				attribute = number(attribute, attributeInt, kindFloat32)
				return nil
			case f.num == attributeTensor:
				t, err := readTensor(f.bytes)
				if err != nil {
					return err
				}
				wide, err := t.widened()
				attribute = message(attribute, attributeTensor, wide)
				return err
			}
			attribute = append(attribute, f.copied...)
			return nil
		})
		body = message(body, nodeAttribute, attribute)
		return err
	})
	return body, err
}

func message(b []byte, num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), value)
}

func number(b []byte, num protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), value)
}
