package quantise

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/onnx"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/quantise/tiny"
)

func plan(outputs ...string) model.Int8 {
	var p model.Int8
	for _, o := range outputs {
		p.Convs = append(p.Convs, model.Int8Conv{Output: o, In: model.Int8Range{-1, 3}, Out: model.Int8Range{0, 4}})
	}
	return p
}

func TestConvolutionsAreFoundWithWhatBelongsToThem(t *testing.T) {
	for name, o := range map[string]tiny.Options{"initialisers": {}, "constants": {Constants: true}, "float16": {Half: true}, "float16 constants": {Half: true, Constants: true}} {
		t.Run(name, func(t *testing.T) {
			convs, skipped, err := Convs(tiny.Network(o))
			if err != nil {
				t.Fatal(err)
			}
			if len(skipped) != 1 || skipped[0].Output != "depthwise" || !strings.Contains(skipped[0].Reason, "grouped") {
				t.Errorf("skipped %+v", skipped)
			}
			var seen []string
			for _, c := range convs {
				seen = append(seen, c.Output+">"+c.Last)
			}
			second := "second"
			if o.Half { // the normalisation is in the weights before anything is looked at
				second = "second_norm"
			}
			if got := strings.Join(seen, " "); got != "stem>stem_relu "+second+">second_relu joint>joint_clip skipped>skipped head>head" {
				t.Fatalf("found %s", got)
			}
			if joint := convs[2]; !joint.Joined || joint.Bound != 6 || joint.Below || joint.Shape != [4]int{32, 48, 3, 3} {
				t.Errorf("joint %+v", joint.Shape)
			}
			if second := convs[1]; second.Joined || second.Below || slices.Max(second.Bias) == 0 || !math.IsInf(float64(second.Bound), 1) {
				t.Error("second has no shift of its normalisation, or is bounded")
			}
		})
	}
}

func TestARewrittenFileIsTheSameEachTimeAndWhole(t *testing.T) {
	for _, o := range []tiny.Options{{}, {Constants: true}, {Half: true}} {
		data := tiny.Network(o)
		p := plan("second", "joint", "skipped")
		if o.Half {
			p.Convs[0].Output = "second_norm"
		}
		p.Convs[1].Equal = slices.Repeat([]float32{2}, 48)
		a, err := Rewrite(data, p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Rewrite(data, p)
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("the second time it differs: %v", err)
		}
		nodes, opset, err := onnx.Nodes(a)
		if err != nil || opset != 17 {
			t.Fatal(opset, err)
		}
		made := map[string]bool{"x": true}
		g, err := read(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range g.weights {
			made[w.name] = true
			if w.kind == onnx.Float16 {
				t.Errorf("%s is still float16", w.name)
			}
		}
		ops := map[string]int{}
		for _, n := range nodes {
			for _, in := range n.Inputs {
				if !made[in] {
					t.Errorf("%s reads %s before it is made", n.Outputs[0], in)
				}
			}
			made[n.Outputs[0]] = true
			ops[n.Op]++
		}
		if !made["y"] || ops["QuantizeLinear"] != 6 || ops["BatchNormalization"] != 0 || ops["Mul"] != 1 || ops["Clip"] != 1 {
			t.Errorf("operators %v", ops)
		}
		if made["second_w"] || made["scale"] {
			t.Error("weights that nobody reads are kept")
		}
	}
}

func TestFloat16IsWidenedExactly(t *testing.T) {
	for bits, want := range map[uint16]float32{0: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 1: 1.0 / (1 << 24), 0x83ff: -1023.0 / (1 << 24), 0x0400: 1.0 / (1 << 14), 0x3555: 0.333251953125} {
		if got := half(bits); got != want {
			t.Errorf("%04x is %g, want %g", bits, got, want)
		}
	}
	for v, want := range map[float32]float32{1: 1, 1 + 1.0/4096: 1, 1 + 3.0/2048: 1 + 2.0/1024, -65519: -65504, 1e-8: 0, 0.1: 0.0999755859375} {
		if got := halved(v); got != want {
			t.Errorf("%g is kept as %g, want %g", v, got, want)
		}
	}
	if !math.IsInf(float64(half(0x7c00)), 1) || !math.IsNaN(float64(half(0x7e00))) {
		t.Error("infinity or not-a-number is lost")
	}
}

func TestFilesAndPlansThatDoNotFitAreRefused(t *testing.T) {
	short := plan("joint")
	short.Convs[0].Equal = []float32{1, 2}
	for name, c := range map[string]struct {
		file []byte
		plan model.Int8
		want string
	}{
		"an old operator set":               {tiny.Network(tiny.Options{Opset: 12}), plan("joint"), "operator set 12"},
		"a convolution that is not there":   {tiny.Network(tiny.Options{}), plan("other"), "no convolution other"},
		"a grouped one":                     {tiny.Network(tiny.Options{}), plan("depthwise"), "no convolution depthwise"},
		"an equalisation of other channels": {tiny.Network(tiny.Options{}), short, "48 channels"},
		"a file that ends in the middle":    {tiny.Network(tiny.Options{})[:4000], plan("joint"), onnx.ErrBroken.Error()},
		"a file that is none":               {[]byte("weights"), plan("joint"), onnx.ErrBroken.Error()},
	} {
		if _, err := Rewrite(c.file, c.plan); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add(tiny.Network(tiny.Options{}))
	f.Add(tiny.Network(tiny.Options{Half: true, Constants: true}))
	f.Add([]byte{0x3a, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := Rewrite(data, plan("joint"))
		if err != nil {
			return
		}
		if _, _, err := onnx.Nodes(out); err != nil {
			t.Errorf("what came out can't be read: %v", err)
		}
	})
}
