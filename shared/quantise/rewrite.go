// Package quantise rewrites ONNX files so that chosen convolutions are computed in 8 bits. It is
// plain Go and knows nothing of engines:
//
//	x ─▶ QuantizeLinear ─▶ DequantizeLinear ─▶ Conv (weights in int8) ─▶ Relu ─▶ QuantizeLinear ─▶ DequantizeLinear ─▶ …
//
// is what ONNX Runtime makes one integer convolution of, and what other engines may compute in float.
// Values are uint8 with one scale for each tensor, weights int8 with one for each output channel. The
// ranges come from calibration (lab/calibrate) and stand in int8.json (model.Int8).
package quantise

import (
	"encoding/binary"
	"fmt"
	"math"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/onnx"
)

// Rewrite is the file with the convolutions of the plan in 8 bits and all else in float32. The same
// file and plan give the same bytes.
func Rewrite(data []byte, plan model.Int8) ([]byte, error) {
	g, err := read(data)
	if err != nil {
		return nil, err
	}
	if err := g.usable(); err != nil {
		return nil, err
	}
	found, _ := g.convs()
	r := rewriter{graph: g, replaced: map[int][]*node{}, dropped: map[int]bool{}, integer: map[string]model.Int8Range{}}
	chosen := make([]*Conv, len(plan.Convs))
	for i, want := range plan.Convs {
		for k := range found {
			if found[k].Output == want.Output {
				chosen[i] = &found[k]
			}
		}
		c := chosen[i]
		if c == nil {
			return nil, fmt.Errorf("the file has no convolution %s that could be computed in 8 bits", want.Output)
		}
		if len(want.Equal) != 0 && len(want.Equal) != c.Shape[1] {
			return nil, fmt.Errorf("convolution %s takes %d channels, int8.json equalises %d", want.Output, c.Shape[1], len(want.Equal))
		}
		r.integer[c.Last] = want.Out
	}
	for i, c := range chosen {
		r.replace(c, plan.Convs[i])
	}
	var nodes []*node
	for i, n := range g.nodes {
		switch {
		case r.replaced[i] != nil:
			nodes = append(nodes, r.replaced[i]...)
		case !r.dropped[i]:
			nodes = append(nodes, n)
		}
	}
	g.nodes = nodes
	g.prune()
	return g.encode(r.added)
}

// Widen is the file with all floats in 32 bits: what Rewrite would make of it without a plan.
func Widen(data []byte) ([]byte, error) {
	g, err := read(data)
	if err != nil {
		return nil, err
	}
	return g.encode(nil)
}

type rewriter struct {
	*graph
	replaced map[int][]*node
	dropped  map[int]bool
	integer  map[string]model.Int8Range // tensors that chosen convolutions give, already in 8 bits
	added    [][]byte
}

// replace puts a convolution's 8-bit form in its place. Its normalisation is in its weights and its
// activation moves up to it, so that nothing stands between what the engine fuses.
func (r *rewriter) replace(c *Conv, p model.Int8Conv) {
	name := c.Output + "/int8"
	var nodes []*node
	x, in := c.Input, p.In
	equal := p.Equal
	if given, ok := r.integer[c.Input]; ok {
		in, equal = given, nil
	} else {
		from := c.Input
		if len(equal) > 0 {
			// Scales for each channel could ride in QuantizeLinear, but ONNX Runtime computes those one
			// value at a time: 55 ms of a pass of 100, where this multiplication takes 4.
			by := make([]float32, len(equal))
			for i, e := range equal {
				by[i] = 1 / e
			}
			r.added = append(r.added, floatTensor(name+"/equal", []int{1, len(by), 1, 1}, by))
			from = name + "/alike"
			nodes = append(nodes, newNode("Mul", -1, from, c.Input, name+"/equal"))
		}
		scale, zero := in.Affine()
		q := r.scalar(name+"/in", scale, zero)
		nodes = append(nodes, newNode("QuantizeLinear", -1, name+"/x8", from, q[0], q[1]),
			newNode("DequantizeLinear", -1, name+"/x", name+"/x8", q[0], q[1]))
		x = name + "/x"
	}
	nodes = append(nodes, r.weights(name, c, in, equal)...)
	y := name + "/y"
	nodes = append(nodes, r.nodes[c.at].rewired([]string{x, name + "/w", name + "/b"}, []string{y}))
	if c.norm >= 0 {
		r.dropped[c.norm] = true
	}
	if c.act >= 0 {
		a := r.nodes[c.act]
		inputs := append([]string{y}, a.in[1:]...)
		y = name + "/a"
		nodes = append(nodes, a.rewired(inputs, []string{y}))
		r.dropped[c.act] = true
	}
	scale, zero := p.Out.Affine()
	out := r.scalar(name+"/out", scale, zero)
	// In the last one's place: what the activation reads may be named after the convolution.
	r.dropped[c.at] = true
	r.replaced[max(c.at, c.norm, c.act)] = append(nodes, newNode("QuantizeLinear", -1, name+"/y8", y, out[0], out[1]),
		newNode("DequantizeLinear", -1, c.Last, name+"/y8", out[0], out[1]))
}

// scalar adds the scale and the zero point of one tensor.
func (r *rewriter) scalar(name string, scale float32, zero uint8) [2]string {
	r.added = append(r.added, floatTensor(name+"_scale", nil, []float32{scale}), onnx.Tensor(name+"_zero", nil, onnx.Uint8, []byte{zero}))
	return [2]string{name + "_scale", name + "_zero"}
}

// mostBias keeps a bias in its 32 bits with room for what is added to it.
const mostBias = 1 << 30

// weights adds weights and bias in whole numbers, and gives the nodes that name their scales.
func (r *rewriter) weights(name string, c *Conv, in model.Int8Range, equal []float32) []*node {
	outs, each := c.Shape[0], len(c.Weights)/max(c.Shape[0], 1)
	area := each / max(c.Shape[1], 1)
	x, _ := in.Affine()
	scales, sums := make([]float32, outs), make([]float32, outs)
	whole, bias := make([]byte, 0, len(c.Weights)), make([]byte, 0, 4*outs)
	row := make([]float32, each)
	for o := range outs {
		largest := float32(0)
		for i := range row {
			row[i] = c.Weights[o*each+i]
			if len(equal) > 0 {
				row[i] *= equal[i/area]
			}
			largest = max(largest, row[i], -row[i])
		}
		scale := largest / 127
		// A channel without weights has any scale that its bias can be told in.
		if least := float32(math.Abs(float64(c.Bias[o]))) / (x * mostBias); scale < least || scale == 0 {
			scale = max(least, 1e-12)
		}
		scales[o], sums[o] = scale, scale*x
		for _, v := range row {
			whole = append(whole, byte(int8(min(max(math.RoundToEven(float64(v)/float64(scale)), -127), 127))))
		}
		b := math.RoundToEven(float64(c.Bias[o]) / float64(sums[o]))
		bias = binary.LittleEndian.AppendUint32(bias, uint32(int32(min(max(b, -mostBias), mostBias))))
	}
	r.added = append(r.added,
		onnx.Tensor(name+"/w8", c.Shape[:], onnx.Int8, whole), floatTensor(name+"/w_scale", []int{outs}, scales), onnx.Tensor(name+"/w_zero", []int{outs}, onnx.Int8, make([]byte, outs)),
		onnx.Tensor(name+"/b32", []int{outs}, onnx.Int32, bias), floatTensor(name+"/b_scale", []int{outs}, sums), onnx.Tensor(name+"/b_zero", []int{outs}, onnx.Int32, make([]byte, 4*outs)))
	return []*node{newNode("DequantizeLinear", 0, name+"/w", name+"/w8", name+"/w_scale", name+"/w_zero"),
		newNode("DequantizeLinear", 0, name+"/b", name+"/b32", name+"/b_scale", name+"/b_zero")}
}
