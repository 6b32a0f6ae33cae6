package modeltest

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math"
	"slices"
)

// Given is an output that is always the same.
type Given struct {
	Name   string
	Dims   []int64 // as the file says them; of Grows the most there can be, told as free
	Values []float32
	Whole  bool // as int64
	Grows  bool // as many of its rows as the mean of what the network is given, 0 in black
}

// Exported is a network that gives the same for any picture: what an exporter's file gives, without its
// weights.
type Exported struct {
	Pixels  int64             // each way
	Type    int64             // of the input's values, as onnx.proto3 numbers them; 0: float32
	Last    bool              // channels come last
	Single  bool              // the input has no batch
	Free    bool              // any batch and size
	Beside  string            // the name of a second file that keeps its weights
	Sizes   string            // a second input that takes the picture's size
	Opset   int64             // 0: 17
	Says    map[string]string // metadata
	Outputs []Given
}

// Export is one of so many pixels each way, with everything else as usual.
func Export(pixels int64, says map[string]string, outputs ...Given) []byte {
	return Exported{Pixels: pixels, Says: says, Outputs: outputs}.File()
}

// File is the network, where that is one file.
func (e Exported) File() []byte {
	onnx, _ := e.Files()
	return onnx
}

// Files are the network and, with Beside, its weights.
func (e Exported) Files() (onnx, beside []byte) {
	g := graph{inputs: []message{value("images", max(e.Type, floats), e.dims())}, weights: []message{real32("none", 0)},
		nodes: []message{one("Cast", "images", "as floats", intAttribute("to", floats)),
			one("ReduceMean", "as floats", "mean", intAttribute("keepdims", 0)), two("Mul", "mean", "none", "nothing of it")}}
	nothing := "nothing of it"
	if e.Sizes != "" {
		g.inputs = append(g.inputs, value(e.Sizes, ints, []int64{1, 2}))
		g.nodes = append(g.nodes, one("Cast", e.Sizes, "sizes", intAttribute("to", floats)), one("ReduceMean", "sizes", "size", intAttribute("keepdims", 0)),
			two("Mul", "size", "none", "nothing of sizes"), two("Add", nothing, "nothing of sizes", "nothing"))
		nothing = "nothing"
	}
	for _, o := range e.Outputs {
		e.give(&g, o, nothing, &beside)
	}
	m := message{}.number(1, 8).bytes(7, g.encode()).bytes(8, message{}.text(1, "").number(2, cmp.Or(e.Opset, 17)))
	for _, key := range slices.Sorted(maps.Keys(e.Says)) {
		m = m.bytes(14, message{}.text(1, key).text(2, e.Says[key]))
	}
	return m, beside
}

func (e Exported) dims() []int64 {
	n, side := int64(1), e.Pixels
	if e.Free {
		n, side = 0, 0
	}
	dims := []int64{n, 3, side, side}
	if e.Last {
		dims = []int64{n, side, side, 3}
	}
	if e.Single {
		return dims[1:]
	}
	return dims
}

// give adds the nodes that make an output.
func (e Exported) give(g *graph, o Given, nothing string, beside *[]byte) {
	size := int64(1)
	for _, d := range o.Dims {
		size *= d
	}
	raw := make([]byte, 4*size)
	for i, v := range o.Values {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	from, dims, kind := "of "+o.Name, o.Dims, int64(floats)
	step := func(op, out string, more ...message) { // the last one bears the output's name
		g.nodes = append(g.nodes, one(op, from, out, more...))
		from = out
	}
	if e.Beside == "" {
		g.weights = append(g.weights, tensor(from, floats, raw, o.Dims...))
	} else {
		g.weights = append(g.weights, apart(from, e.Beside, len(*beside), len(raw), o.Dims...))
		*beside = append(*beside, raw...)
	}
	g.nodes = append(g.nodes, two("Add", from, nothing, from+" and nothing"))
	from += " and nothing"
	if o.Grows {
		dims = append([]int64{0}, o.Dims[1:]...)
		g.weights = append(g.weights, whole("first of "+o.Name, 0), whole("one of "+o.Name, 1))
		g.nodes = append(g.nodes, one("Cast", "mean", "mean of "+o.Name, intAttribute("to", ints)),
			two("Reshape", "mean of "+o.Name, "one of "+o.Name, "last of "+o.Name),
			node("Slice", []string{from, "first of " + o.Name, "last of " + o.Name, "first of " + o.Name}, []string{from + ", some"}))
		from += ", some"
	}
	if o.Whole {
		kind = ints
		step("Cast", from+", whole", intAttribute("to", ints))
	}
	step("Identity", o.Name)
	g.outputs = append(g.outputs, value(o.Name, kind, dims))
}
