package quantise

import (
	"fmt"
	"math"
	"slices"
)

// Conv is a convolution that could be computed in 8 bits, with what is computed behind it in one go.
type Conv struct {
	Output string // of the convolution itself: its name in int8.json
	Input  string
	Last   string  // output with normalisation and activation
	Bound  float32 // what the activation cuts off above; +Inf where it does not
	Below  bool    // negative values get through
	Joined bool    // its input comes out of a Concat: channels of unlike ranges lie side by side
	Shape  [4]int  // of the weights: out, in, rows, columns
	Bias   []float32
	// Weights have the normalisation that follows multiplied in.
	Weights []float32

	at, norm, act int // places of the nodes; -1 where there is none
}

// Skip is a convolution that stays in float, and why.
type Skip struct{ Output, Reason string }

// Least operator set: QuantizeLinear and DequantizeLinear have scales for each channel from it on.
const leastOpset = 13

// Convs are the dense convolutions of an ONNX file, in its order.
func Convs(data []byte) ([]Conv, []Skip, error) {
	g, err := read(data)
	if err != nil {
		return nil, nil, err
	}
	found, skipped := g.convs()
	return found, skipped, g.usable()
}

func (g *graph) usable() error {
	if g.opset < leastOpset {
		return fmt.Errorf("it uses operator set %d; 8 bits for each channel need %d: export it again with opset_version=%d, or raise it with onnx.version_converter", g.opset, leastOpset, leastOpset)
	}
	return nil
}

func (g *graph) convs() (found []Conv, skipped []Skip) {
	users := map[string][]int{} // of each tensor
	makers := map[string]int{}
	for i, n := range g.nodes {
		for _, in := range n.in {
			users[in] = append(users[in], i)
		}
		for _, out := range n.out {
			makers[out] = i
		}
	}
	// next is the node that alone reads a tensor; -1 where there are others, or where it is an output.
	next := func(name string) int {
		if u := users[name]; len(u) == 1 && !g.outputs[name] {
			return u[0]
		}
		return -1
	}
	for i, n := range g.nodes {
		if n.op != "Conv" || n.domain != "" || len(n.out) != 1 || len(n.in) < 2 {
			continue
		}
		c := Conv{Output: n.out[0], Last: n.out[0], Input: n.in[0], Bound: float32(math.Inf(1)), Below: true, at: i, norm: -1, act: -1}
		if reason := g.weigh(&c, n); reason != "" {
			skipped = append(skipped, Skip{c.Output, reason})
			continue
		}
		at := next(c.Last)
		if at >= 0 && g.nodes[at].op == "BatchNormalization" && g.fold(&c, g.nodes[at]) {
			c.norm, c.Last = at, g.nodes[at].out[0]
			at = next(c.Last)
		}
		if at >= 0 && g.cuts(&c, g.nodes[at]) {
			c.act, c.Last = at, g.nodes[at].out[0]
		}
		if maker, ok := makers[c.Input]; ok && g.nodes[maker].op == "Concat" {
			c.Joined = true
		}
		found = append(found, c)
	}
	return found, skipped
}

// weigh reads the weights and the bias; the reason says why they can't be taken.
func (g *graph) weigh(c *Conv, n *node) (reason string) {
	if n.one("group", 1) != 1 {
		return "it is grouped: little work for the bytes it moves"
	}
	w := g.consts[n.in[1]]
	if w == nil {
		return "its weights are computed, not constant"
	}
	if len(w.dims) != 4 {
		return fmt.Sprintf("its weights are %v, not of two dimensions in space", w.dims)
	}
	var err error
	if c.Weights, err = w.floats(); err != nil {
		return err.Error()
	}
	c.Shape = [4]int(w.dims)
	c.Bias = make([]float32, c.Shape[0])
	if len(n.in) > 2 && n.in[2] != "" {
		b := g.consts[n.in[2]]
		if b == nil {
			return "its bias is computed, not constant"
		}
		if c.Bias, err = b.floats(); err != nil || len(c.Bias) != c.Shape[0] {
			return "its bias is not one float for each channel"
		}
	}
	if slices.ContainsFunc(c.Weights, func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }) {
		return "its weights are not numbers"
	}
	return ""
}

// fold multiplies a normalisation into the weights. One that still learns stays where it is.
func (g *graph) fold(c *Conv, n *node) bool {
	if n.domain != "" || len(n.in) != 5 || len(n.out) != 1 || n.one("training_mode", 0) != 0 || n.in[0] != c.Output {
		return false
	}
	var p [4][]float32 // scale, shift, mean, variance
	for i := range p {
		t := g.consts[n.in[1+i]]
		if t == nil {
			return false
		}
		var err error
		if p[i], err = t.floats(); err != nil || len(p[i]) != c.Shape[0] {
			return false
		}
	}
	epsilon, given := n.float["epsilon"]
	if !given {
		epsilon = 1e-5
	}
	weights, bias := slices.Clone(c.Weights), slices.Clone(c.Bias)
	each := len(weights) / max(c.Shape[0], 1)
	for o := range c.Shape[0] {
		k := float64(p[0][o]) / math.Sqrt(float64(p[3][o])+float64(epsilon))
		if math.IsNaN(k) || math.IsInf(k, 0) {
			return false
		}
		for i := o * each; i < (o+1)*each; i++ {
			weights[i] = float32(float64(weights[i]) * k)
		}
		bias[o] = float32((float64(bias[o])-float64(p[2][o]))*k + float64(p[1][o]))
	}
	c.Weights, c.Bias = weights, bias
	return true
}

// cuts says whether a node is an activation that an 8-bit range can take over: what it cuts off lies
// outside the range.
func (g *graph) cuts(c *Conv, n *node) bool {
	if n.domain != "" || len(n.out) != 1 {
		return false
	}
	switch n.op {
	case "Relu":
		c.Below = false
		return true
	case "Clip":
		if len(n.in) != 3 || n.in[0] != c.Last {
			return false
		}
		low, high := g.consts[n.in[1]], g.consts[n.in[2]]
		if low == nil || high == nil || low.size() != 1 || high.size() != 1 {
			return false
		}
		l, err := low.floats()
		h, wrong := high.floats()
		if err != nil || wrong != nil || l[0] != 0 || !(h[0] > 0) {
			return false
		}
		c.Below, c.Bound = false, h[0]
		return true
	}
	return false
}
