package quantise

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"cloudcanvas/shared/onnx"
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
	err := onnx.Fields(data, func(f onnx.Field) error {
		if f.Num == onnx.ModelGraph {
			body = f.Bytes
			return nil
		}
		if f.Num == onnx.ModelOpsets {
			domain, version, err := onnx.OpsetOf(f.Bytes)
			if err != nil {
				return err
			}
			if domain == "" {
				g.opset = version
			}
		}
		g.rest = append(g.rest, f.All...)
		return nil
	})
	if err != nil || body == nil {
		return nil, onnx.ErrBroken
	}
	var inputs []onnx.Field
	err = onnx.Fields(body, func(f onnx.Field) error {
		switch f.Num {
		case onnx.GraphNode:
			n, err := readNode(f.Bytes)
			g.nodes = append(g.nodes, n)
			if err == nil && n.op == "Constant" && n.value != nil && len(n.out) == 1 {
				g.consts[n.out[0]] = n.value
			}
			if err == nil && n.value != nil {
				g.half = g.half || n.value.kind == onnx.Float16
			}
			return err
		case onnx.GraphInitializer:
			t, err := readTensor(f.Bytes)
			g.weights = append(g.weights, &t)
			g.consts[t.name] = &t
			g.half = g.half || t.kind == onnx.Float16
			return err
		case onnx.GraphValue: // their types change; engines find them again
		case onnx.GraphInput:
			inputs = append(inputs, f)
		default:
			if f.Num == onnx.GraphOutput {
				name, err := floatValue(f.Bytes)
				if err != nil {
					return err
				}
				g.outputs[name] = true
			}
			g.body = append(g.body, f.All...)
		}
		return nil
	})
	for _, f := range inputs {
		name, kindErr := floatValue(f.Bytes)
		if g.consts[name] != nil {
			continue // old exporters list weights here, where engines take them for changeable
		}
		err = errors.Join(err, kindErr)
		g.body = append(g.body, f.All...)
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
	t, err := onnx.ParseInfo(body)
	if err == nil && t.Type == onnx.Float16 {
		err = fmt.Errorf("%s is float16; export the network with float32 inputs and outputs", t.Name)
	}
	return t.Name, err
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
		body = onnx.AppendMessage(body, onnx.GraphNode, wide)
	}
	body = append(body, g.body...)
	for _, t := range g.weights {
		wide, err := t.widened()
		if err != nil {
			return nil, err
		}
		body = onnx.AppendMessage(body, onnx.GraphInitializer, wide)
	}
	for _, t := range added {
		body = onnx.AppendMessage(body, onnx.GraphInitializer, t)
	}
	return onnx.AppendMessage(append(make([]byte, 0, len(g.rest)+len(body)+16), g.rest...), onnx.ModelGraph, body), nil
}

// wide is a node whose tensors and targets of float16 are float32 ones. A cast that has lost its
// meaning is left to the engine, which drops it.
func (g *graph) wide(n *node) ([]byte, error) {
	target := n.one("to", n.one("dtype", 0)) == onnx.Float16
	if !g.half || !target && (n.value == nil || n.value.kind != onnx.Float16) {
		return n.body, nil
	}
	var body []byte
	err := onnx.Fields(n.body, func(f onnx.Field) error {
		if f.Num != onnx.NodeAttribute {
			body = append(body, f.All...)
			return nil
		}
		var attribute []byte
		var name string
		err := onnx.Fields(f.Bytes, func(f onnx.Field) error {
			switch {
			case f.Num == onnx.AttributeName:
				name = string(f.Bytes)
			case f.Num == onnx.AttributeInt && (name == "to" || name == "dtype") && f.Number == onnx.Float16:
				attribute = onnx.AppendNumber(attribute, onnx.AttributeInt, onnx.Float32)
				return nil
			case f.Num == onnx.AttributeTensor:
				t, err := readTensor(f.Bytes)
				if err != nil {
					return err
				}
				wide, err := t.widened()
				attribute = onnx.AppendMessage(attribute, onnx.AttributeTensor, wide)
				return err
			}
			attribute = append(attribute, f.All...)
			return nil
		})
		body = onnx.AppendMessage(body, onnx.NodeAttribute, attribute)
		return err
	})
	return body, err
}
