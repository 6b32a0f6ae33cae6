package quantise

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
	err := fields(body, func(f field) error {
		switch f.num {
		case nodeInput:
			n.in = append(n.in, string(f.bytes))
		case nodeOutput:
			n.out = append(n.out, string(f.bytes))
		case nodeOp:
			n.op = string(f.bytes)
		case nodeDomain:
			n.domain = string(f.bytes)
		case nodeAttribute:
			return n.attribute(f.bytes)
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
	err := fields(body, func(f field) error {
		switch f.num {
		case attributeName:
			name = string(f.bytes)
		case attributeFloat:
			n.float[name] = f.float()
		case attributeInt:
			ints = append(ints, int(int64(f.number)))
		case attributeInts:
			return f.numbers(func(v uint64) { ints = append(ints, int(int64(v))) })
		case attributeTensor:
			t, err := readTensor(f.bytes)
			n.value = &t
			return err
		case attributeGraph, attributeGraphs:
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
	fields(n.body, func(f field) error {
		if f.num != nodeInput && f.num != nodeOutput {
			body = append(body, f.copied...)
		}
		return nil
	})
	for _, name := range in {
		body = message(body, nodeInput, []byte(name))
	}
	for _, name := range out {
		body = message(body, nodeOutput, []byte(name))
	}
	return &node{op: n.op, in: in, out: out, ints: n.ints, float: n.float, body: body}
}

// newNode is an operator with whole numbers for attributes; axis < 0 stands for none.
func newNode(op string, axis int, out string, in ...string) *node {
	body := message(message(nil, nodeOp, []byte(op)), nodeName, []byte(out))
	if axis >= 0 {
		a := number(message(nil, attributeName, []byte("axis")), attributeInt, uint64(axis))
		body = message(body, nodeAttribute, number(a, attributeType, attributeIsInt))
	}
	n := &node{op: op, body: body}
	return n.rewired(in, []string{out})
}
