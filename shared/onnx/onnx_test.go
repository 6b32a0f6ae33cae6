package onnx

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// graph is an ONNX file of one node with the given input.
func graph(input []byte, extra ...byte) []byte {
	field := func(num protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), value)
	}
	g := append(field(GraphNode, field(4, []byte("Identity"))), field(GraphInput, input)...)
	g = append(g, field(GraphOutput, field(ValueName, []byte("y")))...)
	return append(append(field(ModelGraph, g), field(ModelOpsets, nil)...), extra...)
}

func TestASignatureNamesInputsOutputsAndFreeDimensions(t *testing.T) {
	field := func(num protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), value)
	}
	dim := field(ShapeDim, protowire.AppendVarint(protowire.AppendTag(nil, DimValue, protowire.VarintType), 256))
	free := field(ShapeDim, field(2, []byte("batch")))
	input := append(field(ValueName, []byte("x")), field(ValueType, field(TypeTensor, field(TypeShape, append(free, dim...))))...)
	sig, err := ParseSignature(graph(input))
	if err != nil || len(sig.Inputs) != 1 || sig.Inputs[0].Name != "x" || sig.Outputs[0].Name != "y" || sig.Nodes != 1 {
		t.Fatalf("%+v, %v", sig, err)
	}
	if s := sig.Inputs[0].Shape; len(s) != 2 || s[0] != -1 || s[1] != 256 {
		t.Fatalf("shape %v", s)
	}
}

func FuzzParseSignature(f *testing.F) {
	f.Add(graph([]byte{}))
	f.Add(graph([]byte{}, 0xff))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if sig, err := ParseSignature(data); err == nil && (len(sig.Inputs) == 0 || len(sig.Outputs) == 0) {
			t.Fatal("a model without inputs or outputs passed")
		}
	})
}
