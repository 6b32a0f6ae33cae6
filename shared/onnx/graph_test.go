package onnx

import (
	"os"
	"slices"
	"testing"
)

func tiny(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("../infer/testdata/tiny_classes.onnx")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAnExtendedNetworkHasTheNewOutputsAndAllItsNodes(t *testing.T) {
	data := tiny(t)
	before, opset, err := Nodes(data)
	if err != nil || len(before) == 0 || opset < 7 {
		t.Fatalf("%d nodes, opset %d: %v", len(before), opset, err)
	}
	last := before[len(before)-1].Outputs[0]
	added := []Node{
		{Op: "Constant", Outputs: []string{"two"}, Value: &Constant{Shape: []int{1}, Floats: []float32{2}}},
		{Op: "Mul", Inputs: []string{last, "two"}, Outputs: []string{"doubled"}},
	}
	longer, err := Extend(data, []TensorInfo{{Name: "doubled", Shape: []int{1, -1}}, {Name: last}}, added...)
	if err != nil {
		t.Fatal(err)
	}
	after, again, err := Nodes(longer)
	if err != nil || again != opset || len(after) != len(before)+2 || !slices.Equal(after[len(before)+1].Inputs, added[1].Inputs) {
		t.Errorf("%+v, opset %d: %v", after, again, err)
	}
	sig, err := ParseSignature(longer)
	if err != nil || len(sig.Outputs) != 2 || sig.Outputs[0].Name != "doubled" || !slices.Equal(sig.Outputs[0].Shape, []int{1, -1}) || sig.Outputs[1].Shape != nil {
		t.Errorf("%+v: %v", sig, err)
	}
}

func FuzzExtend(f *testing.F) {
	f.Add(tiny(f))
	f.Add([]byte{0x3a, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, err := Nodes(data); err != nil {
			return
		}
		longer, err := Extend(data, []TensorInfo{{Name: "out"}})
		if err != nil {
			return
		}
		if _, _, err := Nodes(longer); err != nil {
			t.Errorf("what came out can't be read: %v", err)
		}
	})
}
