package infer

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// decodeBoxes runs a detector's decoder on one image of 200x100 stretched to 64x64.
func decodeBoxes(t *testing.T, spec model.Output, out ...tensor) ([]vision.Box, error) {
	t.Helper()
	if spec.ScoreFloor == 0 {
		spec.ScoreFloor = 0.05
	}
	if spec.NMSIoU == 0 {
		spec.NMSIoU = 0.45
	}
	d, err := newDecoder(model.Manifest{Name: "synthetic", Output: spec})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.decode(out, 0, 1, stretched, nil)
	return got.Boxes, err
}

var stretched = geometry{w: 64, h: 64, rw: 64, rh: 64, sx: 64.0 / 200, sy: 64.0 / 100, iw: 200, ih: 100}

func zeros(name string, shape ...int) tensor {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return tensor{name, shape, make([]float32, n)}
}

func oneBox(t *testing.T, got []vision.Box, err error, want vision.Box) {
	t.Helper()
	if err != nil || len(got) != 1 {
		t.Fatalf("got %+v, %v; want one box", got, err)
	}
	g := got[0]
	for _, d := range [][2]float32{{g.X, want.X}, {g.Y, want.Y}, {g.W, want.W}, {g.H, want.H}, {g.Score, want.Score}} {
		if math.Abs(float64(d[0]-d[1])) > 1e-3 {
			t.Fatalf("got %+v, want %+v", g, want)
		}
	}
	if g.Class != want.Class || g.Label != want.Label {
		t.Fatalf("got %+v, want %+v", g, want)
	}
}

func TestYOLOXBoxesAreOffsetsInCellsAndLogSizes(t *testing.T) {
	out := zeros("output", 1, 64+16+4, 7) // strides 8, 16, 32 of 64x64; two classes
	row := out.data[(64+5)*7:]            // stride 16: cell 5 is column 1, row 1
	copy(row, []float32{0.5, 0.25, float32(math.Log(2)), float32(math.Log(1)), 0.8, 0.1, 0.5})
	spec := model.Output{Decoder: "yolox", Labels: []string{"a", "b"}, Strides: []int{8, 16, 32}}
	got, err := decodeBoxes(t, spec, out)
	// centre (24, 20), size 32x16 in the network; factors 200/64 and 100/64
	oneBox(t, got, err, vision.Box{X: 25, Y: 18.75, W: 100, H: 25, Score: 0.4, Class: 1, Label: "b"})
}

func TestUltralyticsBoxesAreReadInBothOrders(t *testing.T) {
	spec := model.Output{Decoder: "ultralytics", Labels: []string{"a", "b", "c"}}
	wide, tall := zeros("output0", 1, 7, 84), zeros("output0", 1, 84, 7)
	for k, v := range []float32{24, 20, 32, 16, 0.1, 0.2, 0.6} {
		wide.data[k*84+50] = v
		tall.data[50*7+k] = v
	}
	want := vision.Box{X: 25, Y: 18.75, W: 100, H: 25, Score: 0.6, Class: 2, Label: "c"}
	got, err := decodeBoxes(t, spec, wide)
	oneBox(t, got, err, want)
	got, err = decodeBoxes(t, spec, tall)
	oneBox(t, got, err, want)
}

func TestFastestDetScoresMultiplyPowers(t *testing.T) {
	out := zeros("758", 1, 7, 4, 4)
	at := 1*4 + 2
	for k, v := range []float32{0.5, 0, 0, 0, 0, 0.2, 0.9} {
		out.data[k*16+at] = v
	}
	got, err := decodeBoxes(t, model.Output{Decoder: "fastestdet", Labels: []string{"a", "b"}}, out)
	score := float32(math.Pow(0.5, 0.6) * math.Pow(0.9, 0.4))
	// cell (2, 1) of 4x4: centre half and a quarter of the picture, half its size
	oneBox(t, got, err, vision.Box{X: 50, Y: 0, W: 100, H: 50, Score: score, Class: 1, Label: "b"})
}

func TestPicoDetSidesAreExpectationsOverBins(t *testing.T) {
	out := []tensor{zeros("s8", 1, 64, 2), zeros("s16", 1, 16, 2), zeros("b8", 1, 64, 32), zeros("b16", 1, 16, 32)}
	out[1].data[5*2] = 0.7 // cell (1, 1) of stride 16: centre (24, 24)
	for side, bin := range []int{1, 0, 1, 1} {
		out[3].data[5*32+side*8+bin] = 50 // all of the softmax
	}
	got, err := decodeBoxes(t, model.Output{Decoder: "picodet", Labels: []string{"a", "b"}, Strides: []int{8, 16}}, out...)
	oneBox(t, got, err, vision.Box{X: 25, Y: 37.5, W: 100, H: 25, Score: 0.7, Class: 0, Label: "a"})
}

func TestYuNetGivesLandmarks(t *testing.T) {
	var out []tensor
	for _, width := range []int{1, 1, 4, 10} {
		for _, n := range []int{64, 16, 4} {
			out = append(out, zeros("map", 1, n, width))
		}
	}
	out[0].data[9], out[3].data[9] = 0.81, 1 // stride 8, cell (1, 1)
	copy(out[6].data[9*4:], []float32{0.5, 0.5, 0, 0})
	copy(out[9].data[9*10:], []float32{1, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	got, err := decodeBoxes(t, model.Output{Decoder: "yunet", Labels: []string{"face"}, Strides: []int{8, 16, 32}}, out...)
	oneBox(t, got, err, vision.Box{X: 25, Y: 12.5, W: 25, H: 12.5, Score: 0.9, Label: "face"})
	if p := got[0].Points; len(p) != 5 || p[0] != [2]float32{50, 25} || p[1] != [2]float32{25, 12.5} {
		t.Fatalf("landmarks %v", p)
	}
}

func TestOutputsThatDoNotFitTheManifestAreErrorsNotPanics(t *testing.T) {
	labels := []string{"a", "b"}
	for _, decoder := range []string{"yolox", "ultralytics", "picodet", "fastestdet", "yunet", "dense", "classes"} {
		t.Run(decoder, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				spec := model.Output{Decoder: decoder, Labels: labels, Strides: []int{8, 16}, ScoreFloor: 0.05, NMSIoU: 0.5, Top: 1, Threshold: 0.5,
					Choose: rapid.SampledFrom([]string{"argmax", "threshold"}).Draw(t, "choose")}
				layout := rapid.SampledFrom([]string{"nchw", "nhwc"}).Draw(t, "layout")
				d, err := newDecoder(model.Manifest{Output: spec, Input: model.Input{Layout: layout}})
				if err != nil {
					t.Fatal(err)
				}
				var out []tensor
				for range rapid.SampledFrom([]int{1, 1, 2, 4, 8}).Draw(t, "outputs") {
					o := tensor{name: "x", shape: rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 4, 6, 7, 16, 64, 80}), 1, 4).Draw(t, "shape")}
					n := 1
					for _, s := range o.shape {
						n *= s
					}
					if n > 1<<16 {
						continue
					}
					o.data = make([]float32, n)
					for i := range min(n, 64) {
						o.data[i*n/min(n, 64)] = rapid.SampledFrom([]float32{0, 1, -3, 1e30, float32(math.NaN()), float32(math.Inf(1))}).Draw(t, "value")
					}
					out = append(out, o)
				}
				if len(out) == 0 {
					return
				}
				im := &vision.Image{W: 200, H: 100}
				got, err := d.decode(out, 0, 1, stretched, im)
				if err == nil && decoder == "dense" && len(got.Mask.Class) != im.W*im.H {
					t.Fatalf("a mask of %d pixels", len(got.Mask.Class))
				}
				for _, b := range got.Boxes {
					if b.Class >= len(labels) || !(b.Score > 0.05 && b.Score <= 1) || !(b.W > 0) {
						t.Fatalf("box %+v", b)
					}
				}
			})
		})
	}
}

func TestDenseMasksChooseMapAndMarkVoid(t *testing.T) {
	im := &vision.Image{W: 2, H: 2, Void: []byte{0, 0, 0, 1}}
	whole := geometry{w: 2, h: 2, rw: 2, rh: 2, sx: 1, sy: 1, iw: 2, ih: 2}
	three := tensor{"m", []int{1, 3, 2, 2}, []float32{5, 0, 0, 5, 1, 9, 0, 0, 0, 0, 7, 0}}
	last := tensor{"m", []int{1, 2, 2, 3}, []float32{5, 1, 0, 0, 9, 0, 0, 0, 7, 5, 0, 0}}
	one := tensor{"m", []int{1, 1, 2, 2}, []float32{-3, 3, 0.1, 3}}
	for name, c := range map[string]struct {
		spec   model.Output
		layout string
		out    tensor
		want   string
	}{
		"argmax":                {model.Output{Choose: "argmax", ClassMap: []int{0, 2, 1}}, "nchw", three, "\x00\x02\x01\xff"},
		"argmax, channels last": {model.Output{Choose: "argmax", ClassMap: []int{0, 2, 1}}, "nhwc", last, "\x00\x02\x01\xff"},
		"threshold on logits":   {model.Output{Choose: "threshold", Activation: "logits", Threshold: 0.5, ClassMap: []int{0, 2}}, "nchw", one, "\x00\x02\x02\xff"},
		"threshold":             {model.Output{Choose: "threshold", Threshold: 0.5}, "nchw", one, "\x00\x02\x00\xff"},
	} {
		c.spec.Decoder = "dense"
		d, err := newDecoder(model.Manifest{Output: c.spec, Input: model.Input{Layout: c.layout}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.decode([]tensor{c.out}, 0, 1, whole, im)
		if err != nil || string(got.Mask.Class) != c.want {
			t.Errorf("%s: got %v, %v, want %q", name, got.Mask.Class, err, c.want)
		}
	}
}

func TestMasksOfResizedPicturesComeBackToTheirPixels(t *testing.T) {
	p := newPlan(model.Input{Colour: "rgb", Size: []int{8, 8}, Scale: 1, Fit: model.FitCentre})
	im := &vision.Image{W: 16, H: 8, Pix: make([]byte, 16*8*3)}
	g, err := p.fit(im)
	if err != nil {
		t.Fatal(err)
	}
	// The picture lies in rows 2 to 5; its right half is class 1.
	class := make([]byte, 64)
	for i := range class {
		class[i] = 9 // the padding must not show
		if y := i / 8; y >= 2 && y < 6 {
			class[i] = byte(i % 8 / 4)
		}
	}
	for i, c := range place(class, 8, 8, g, im).Class {
		if want := byte(i % 16 / 8); c != want {
			t.Fatalf("pixel %d,%d is %d, want %d", i%16, i/16, c, want)
		}
	}
}

func TestClassesAreTheBestLabelsFirst(t *testing.T) {
	d, err := newDecoder(model.Manifest{Output: model.Output{Decoder: "classes", Labels: []string{"a", "b", "c"}, Top: 2, Activation: "logits"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.decode([]tensor{{"p", []int{2, 3}, []float32{9, 9, 9, 0, 2, 1}}}, 1, 2, stretched, nil)
	if err != nil || len(got.Classes) != 2 || got.Classes[0].Label != "b" || got.Classes[1].Label != "c" {
		t.Fatalf("got %+v, %v", got.Classes, err)
	}
	if s := got.Classes[0].Score; math.Abs(float64(s)-0.6652) > 1e-3 {
		t.Fatalf("softmax of 2 among 0, 2, 1 is 0.665, got %g", s)
	}
}

func TestSuppressionIsByClassAndKeepsTheBest(t *testing.T) {
	found := []vision.Box{
		{X: 0, Y: 0, W: 10, H: 10, Score: 0.5}, {X: 1, Y: 0, W: 10, H: 10, Score: 0.9},
		{X: 0, Y: 0, W: 10, H: 10, Score: 0.6, Class: 1}, {X: 100, Y: 0, W: 10, H: 10, Score: 0.1},
	}
	var scores []string
	for _, b := range suppress(found, 0.45) {
		scores = append(scores, strings.Repeat("x", int(b.Score*10+0.5)))
	}
	if got := strings.Join(scores, " "); got != "xxxxxxxxx xxxxxx x" {
		t.Fatalf("kept %s", got)
	}
}

func TestNoTwoKeptBoxesOfAClassOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.Float32Range(0, 50)
		found := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) vision.Box {
			return vision.Box{X: side.Draw(t, "x"), Y: side.Draw(t, "y"), W: 1 + side.Draw(t, "w"), H: 1 + side.Draw(t, "h"),
				Score: rapid.Float32Range(0.05, 1).Draw(t, "score"), Class: rapid.IntRange(0, 1).Draw(t, "class")}
		}), 0, 40).Draw(t, "boxes")
		kept := suppress(found, 0.45)
		for i, a := range kept {
			for _, b := range kept[i+1:] {
				if a.Class == b.Class && vision.IoU(a, b) > 0.4501 || b.Score > a.Score {
					t.Fatalf("%+v and %+v", a, b)
				}
			}
		}
		if len(found) > 0 && len(kept) == 0 {
			t.Fatal("the best box is gone")
		}
	})
}
