package quantise

import "cloudcanvas/shared/onnx"

// node is an operator; body is the message as it came.
type node struct {
	op, domain string
	in, out    []string
	ints       map[string][]int
	float      map[string]float32
	value      *tensor // of a Constant
	nested     bool    // has graphs of its own (If, Loop)
	body       []byte
}

func readNode(body []byte) (*node, error) {
	n := &node{body: body, ints: map[string][]int{}, float: map[string]float32{}}
	err := onnx.Fields(body, func(f onnx.Field) error {
		switch f.Num {
		case onnx.NodeInput:
			n.in = append(n.in, string(f.Bytes))
		case onnx.NodeOutput:
			n.out = append(n.out, string(f.Bytes))
		case onnx.NodeOp:
			n.op = string(f.Bytes)
		case onnx.NodeDomain:
			n.domain = string(f.Bytes)
		case onnx.NodeAttribute:
			return n.attribute(f.Bytes)
		}
		return nil
	})
	if n.domain == "ai.onnx" {
		n.domain = ""
	}
	return n, err
}

func (n *node) attribute(body []byte) error {
	var name string
	var ints []int
	err := onnx.Fields(body, func(f onnx.Field) error {
		switch f.Num {
		case onnx.AttributeName:
			name = string(f.Bytes)
		case onnx.AttributeFloat:
			n.float[name] = f.Float()
		case onnx.AttributeInt:
			ints = append(ints, int(int64(f.Number)))
		case onnx.AttributeInts:
			return f.Numbers(func(v uint64) { ints = append(ints, int(int64(v))) })
		case onnx.AttributeTensor:
			t, err := readTensor(f.Bytes)
			n.value = &t
			return err
		case onnx.AttributeGraph, onnx.AttributeGraphs:
			n.nested = true
		}
		return nil
	})
	if ints != nil {
		n.ints[name] = ints
	}
	return err
}

// one is an attribute of one whole number.
func (n *node) one(name string, otherwise int) int {
	if v := n.ints[name]; len(v) == 1 {
		return v[0]
	}
	return otherwise
}

// rewired is the node with other inputs and outputs.
func (n *node) rewired(in, out []string) *node {
	var body []byte
	onnx.Fields(n.body, func(f onnx.Field) error {
		if f.Num != onnx.NodeInput && f.Num != onnx.NodeOutput {
			body = append(body, f.All...)
		}
		return nil
	})
	for _, name := range in {
		body = onnx.AppendMessage(body, onnx.NodeInput, []byte(name))
	}
	for _, name := range out {
		body = onnx.AppendMessage(body, onnx.NodeOutput, []byte(name))
	}
	return &node{op: n.op, in: in, out: out, ints: n.ints, float: n.float, body: body}
}

// newNode is an operator with whole numbers for attributes; axis < 0 stands for none.
func newNode(op string, axis int, out string, in ...string) *node {
	body := onnx.AppendMessage(onnx.AppendMessage(nil, onnx.NodeOp, []byte(op)), onnx.NodeName, []byte(out))
	if axis >= 0 {
		a := onnx.AppendNumber(onnx.AppendMessage(nil, onnx.AttributeName, []byte("axis")), onnx.AttributeInt, int64(axis))
		body = onnx.AppendMessage(body, onnx.NodeAttribute, onnx.AppendNumber(a, onnx.AttributeType, onnx.AttributeIsInt))
	}
	n := &node{op: op, body: body}
	return n.rewired(in, []string{out})
}
