package anomaly

import (
	"strconv"

	"cloudcanvas/shared/onnx"
)

// Names of tensors that are added to the backbone's.
const (
	prefix      = "canvas_anomaly_"
	featuresOut = prefix + "features"
	// Output is the network's: 1 x rows x columns, 1 as far as good pictures go.
	Output = prefix + "map"
)

// graph gathers nodes behind the backbone's.
type graph struct{ nodes []onnx.Node }

// add gives the name of what the node puts out.
func (g *graph) add(n onnx.Node, out string, in ...string) string {
	n.Inputs, n.Outputs = in, []string{prefix + out}
	g.nodes = append(g.nodes, n)
	return prefix + out
}

func (g *graph) constant(name string, shape []int, floats []float32) string {
	return g.add(onnx.Node{Op: "Constant", Value: &onnx.Constant{Shape: shape, Floats: floats}}, name)
}

func (g *graph) plain(op, out string, in ...string) string {
	return g.add(onnx.Node{Op: op}, out, in...)
}

// conv is a convolution of side x side; group is how many parts the channels fall into.
func (g *graph) conv(out string, side int64, group int, in ...string) string {
	n := onnx.Node{Op: "Conv", Whole: map[string]int64{"group": int64(group)}, Wholes: map[string][]int64{"kernel_shape": {side, side}}}
	if border := side / 2; border > 0 {
		n.Wholes["pads"] = []int64{border, border, border, border}
	}
	return g.add(n, out, in...)
}

// gather are the nodes from the layers to the features: smoothed, on one grid, side by side.
func (b *backbone) gather() []onnx.Node {
	var g graph
	var parts []string
	for i, layer := range b.layers {
		n, width := strconv.Itoa(i), b.widths[i]
		smooth := g.constant("smooth"+n, []int{width, 1, 3, 3}, filled(width*9, 1.0/9))
		part := g.conv("smoothed"+n, 3, width, layer, smooth)
		if i > 0 {
			ones := g.constant("ones"+n, []int{width, 1, 2, 2}, filled(width*4, 1))
			part = g.add(onnx.Node{Op: "ConvTranspose", Whole: map[string]int64{"group": int64(width)},
				Wholes: map[string][]int64{"kernel_shape": {2, 2}, "strides": {2, 2}}}, "stretched"+n, part, ones)
		}
		parts = append(parts, part)
	}
	g.add(onnx.Node{Op: "Concat", Whole: map[string]int64{"axis": 1}}, "features", parts...)
	return g.nodes
}

// network is the whole file. With |z-b|² = |z|² - 2 z·b + |b|² the distances to all of the bank are
// one convolution of 1 x 1.
func (b *backbone) network(n norm, bank *patches, reach float64) ([]byte, error) {
	g := graph{nodes: b.gather()}
	c, k := b.channels, bank.len()
	shift := make([]float32, c)
	for i := range shift {
		shift[i] = -n.mean[i] * n.scale[i]
	}
	z := g.conv("standard", 1, c, featuresOut, g.constant("scale", []int{c, 1, 1, 1}, n.scale), g.constant("shift", []int{c}, shift))
	weights, squares := make([]float32, k*c), make([]float32, k)
	for i := range k {
		for j, v := range bank.at(i) {
			weights[i*c+j] = -2 * v
			squares[i] += v * v
		}
	}
	all := g.conv("products", 1, 1, z, g.constant("bank", []int{k, c, 1, 1}, weights), g.constant("squares", []int{k}, squares))
	own := g.conv("own", 1, 1, g.plain("Mul", "square", z, z), g.constant("sum", []int{1, c, 1, 1}, filled(c, 1)))
	least := onnx.Node{Op: "ReduceMin", Wholes: map[string][]int64{"axes": {1}}}
	from := []string{all}
	if b.opset >= 18 { // the axes have become an input
		least.Wholes = nil
		from = append(from, g.add(onnx.Node{Op: "Constant", Value: &onnx.Constant{Shape: []int{1}, Ints: []int64{1}}}, "axes"))
	}
	squared := g.plain("Add", "squared", own, g.add(least, "nearest", from...))
	distance := g.plain("Sqrt", "distance", g.plain("Relu", "positive", squared))
	g.plain("Mul", "map", distance, g.constant("reach", []int{1}, []float32{float32(1 / reach)}))
	return onnx.Extend(b.data, []onnx.TensorInfo{{Name: Output, Shape: []int{1, 1, -1, -1}}}, g.nodes...)
}

func filled(n int, v float32) []float32 {
	all := make([]float32, n)
	for i := range all {
		all[i] = v
	}
	return all
}
