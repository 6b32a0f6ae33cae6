package modeltest

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
)

// Given is an output that is always the same.
type Given struct {
	Name   string
	Dims   []int64
	Values []float32 // those that are missing are 0
}

// Export is a network that gives the same for any picture of so many pixels each way: what an exporter's
// file gives, without its weights. says are its metadata.
func Export(pixels int64, says map[string]string, outputs ...Given) []byte {
	g := graph{inputs: []message{value("images", floats, []int64{1, 3, pixels, pixels})}, weights: []message{real32("none", 0)},
		nodes: []message{one("ReduceMean", "images", "mean", intAttribute("keepdims", 0)), two("Mul", "mean", "none", "nothing")}}
	for _, o := range outputs {
		size := int64(1)
		for _, d := range o.Dims {
			size *= d
		}
		raw := make([]byte, 4*size)
		for i, v := range o.Values {
			binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
		}
		g.weights = append(g.weights, tensor("of "+o.Name, floats, raw, o.Dims...))
		g.nodes = append(g.nodes, two("Add", "of "+o.Name, "nothing", o.Name))
		g.outputs = append(g.outputs, value(o.Name, floats, o.Dims))
	}
	m := message{}.number(1, 8).bytes(7, g.encode()).bytes(8, message{}.text(1, "").number(2, 17))
	for _, key := range slices.Sorted(maps.Keys(says)) {
		m = m.bytes(14, message{}.text(1, key).text(2, says[key]))
	}
	return m
}
