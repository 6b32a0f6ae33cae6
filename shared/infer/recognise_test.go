package infer

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/model/modeltest"
	"cloudcanvas/shared/vision"
)

// exported is a network of 64 x 64 pixels that sees a dog, the second of two labels, at 16, 8 to 48, 40 with
// a score of 0.9, in the layout of an exporter.
type exported struct {
	outputs []modeltest.Given
	says    map[string]string
	words   string // of the decoder that reads it
	as      modeltest.Exported
}

var catAndDog = map[string]string{"names": "{0: 'cat', 1: 'dog'}"}

func with(more ...string) map[string]string {
	all := map[string]string{"names": catAndDog["names"]}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// across turns rows into columns, as the exporters of YOLOv8 and its like give them.
func across(rows, columns int, values ...float32) []float32 {
	all := make([]float32, rows*columns)
	for k, v := range values {
		all[k*rows] = v
	}
	return all
}

// nanodet are rows of two classes and four sides of eight bins; the one in the third row of cells of stride 8
// and the third or fourth column has its point at 16, 16 or 20, 20.
func nanodet(rows, columns int) []float32 {
	const row = 2 + 4*8
	values := make([]float32, rows*row)
	at := values[(2*8+2)*row:]
	at[1] = 0.9
	sides := []float32{0, 1, 4, 3} // from 16, 16, in strides
	if columns == 8 {
		sides = []float32{0.5, 1.5, 3.5, 2.5}
	}
	for k, d := range sides { // all of it in one bin, or half in each of two
		low := int(d)
		for i := range 8 {
			at[2+8*k+i] = -100
		}
		at[2+8*k+low] = 0
		if d != float32(low) {
			at[2+8*k+low+1] = 0
		}
	}
	return values
}

func exports() map[string]exported {
	const cells = 64 + 16 + 4
	lower := float32(math.Log(0.1 / 0.9))
	given := func(name string, values []float32, dims ...int64) modeltest.Given {
		return modeltest.Given{Name: name, Dims: append([]int64{1}, dims...), Values: values}
	}
	raw := func(extra int) []float32 { return across(2100, 6+extra, 32, 24, 32, 32, 0, 0.9) }
	yolox := make([]float32, cells*7)
	copy(yolox[(64+4+2)*7:], []float32{0, 0.5, float32(math.Log(2)), float32(math.Log(2)), 1, 0, 0.9}) // cell 2, 1 of stride 16
	logits := make([]float32, 300*2)
	for i := range logits {
		logits[i] = lower * 3
	}
	logits[1] = -lower
	ofThree := make([]float32, 300*3)
	for i := range ofThree {
		ofThree[i] = lower * 3
	}
	ofThree[1] = -lower
	row := func(name string, values ...float32) modeltest.Given {
		return modeltest.Given{Name: name, Dims: []int64{1, int64(len(values))}, Values: values}
	}
	return map[string]exported{
		"YOLOv8":                 {outputs: []modeltest.Given{given("output0", raw(0), 6, 2100)}, says: with("stride", "32", "task", "detect"), words: "decoder: ultralytics"},
		"YOLOv8 with masks":      {outputs: []modeltest.Given{given("output0", raw(32), 38, 2100), given("output1", nil, 32, 16, 16)}, says: with("task", "segment"), words: "extra: 32"},
		"YOLOv8 with poses":      {outputs: []modeltest.Given{given("output0", raw(51), 57, 2100)}, says: with("task", "pose"), words: "extra: 51"},
		"YOLOv5":                 {outputs: []modeltest.Given{given("output0", []float32{32, 24, 32, 32, 0.95, 0, 0.9 / 0.95}, 3*cells*10, 7)}, says: with("stride", "32"), words: "decoder: yolov5"},
		"YOLOv10":                {outputs: []modeltest.Given{given("output0", []float32{16, 8, 48, 40, 0.9, 1}, 300, 6)}, says: catAndDog, words: "decoder: end2end"},
		"YOLO26 with masks":      {outputs: []modeltest.Given{given("output0", []float32{16, 8, 48, 40, 0.9, 1}, 300, 38), given("output1", nil, 32, 16, 16)}, says: with("end2end", "True", "task", "segment"), words: "decoder: end2end"},
		"YOLOX":                  {outputs: []modeltest.Given{given("output", yolox, cells, 7)}, says: catAndDog, words: "decoder: yolox"},
		"YOLOX with decoding":    {outputs: []modeltest.Given{given("output", []float32{32, 24, 32, 32, 1, 0, 0.9}, cells, 7)}, says: catAndDog, words: "decoder: yolov5"},
		"RT-DETR":                {outputs: []modeltest.Given{given("output0", []float32{0.5, 0.375, 0.5, 0.5, 0, 0.9}, 300, 6)}, says: with("head", "RTDETRDecoder"), words: ""},
		"RT-DETR, final rows":    {outputs: []modeltest.Given{given("output0", []float32{0.5, 0.375, 0.5, 0.5, 0.9, 1}, 300, 6)}, says: with("head", "RTDETRDecoder"), words: "decoder: end2end"},
		"DETR with logits":       {outputs: []modeltest.Given{given("pred_boxes", []float32{0.5, 0.375, 0.5, 0.5}, 300, 4), given("logits", logits, 300, 2)}, says: catAndDog, words: "activation: logits"},
		"DETR, scores first":     {outputs: []modeltest.Given{given("scores", []float32{0, 0.9}, 300, 2), given("pred_boxes", []float32{0.5, 0.375, 0.5, 0.5}, 300, 4)}, says: catAndDog, words: "activation: probabilities"},
		"YOLO-NAS":               {outputs: []modeltest.Given{given("boxes", []float32{16, 8, 48, 40}, 2100, 4), given("scores", []float32{0, 0.9}, 2100, 2)}, says: catAndDog, words: "boxes: corners"},
		"TensorFlow's detection": {outputs: []modeltest.Given{given("detection_boxes", []float32{0.125, 0.25, 0.625, 0.75}, 10, 4), given("detection_classes", []float32{2}, 10), given("detection_scores", []float32{0.9}, 10), given("num_detections", []float32{1}, 1)}, says: catAndDog, words: "first_class: 1"},
		"YOLOv7 end to end":      {outputs: []modeltest.Given{given("num_dets", []float32{1}, 1), given("det_boxes", []float32{16, 8, 48, 40}, 100, 4), given("det_scores", []float32{0.9}, 100), given("det_classes", []float32{1}, 100)}, says: catAndDog, words: "decoder: lists"},
		"YOLOv5 with masks":      {outputs: []modeltest.Given{given("output0", append([]float32{32, 24, 32, 32, 0.95, 0, 0.9 / 0.95}, make([]float32, 32)...), 3*cells*10, 39), given("output1", nil, 32, 16, 16)}, says: with("task", "segment"), words: "decoder: yolov5, boxes: centre, unit: pixels, activation: probabilities, extra: 32"},
		"YOLOv7 in one list":     {outputs: []modeltest.Given{row("output", 0, 16, 8, 48, 40, 1, 0.9)}, says: catAndDog, words: "columns: [image, box, class, score]"},
		"YOLO-NAS in one list":   {outputs: []modeltest.Given{row("graph2_flat_predictions", 0, 16, 8, 48, 40, 0.9, 1)}, says: catAndDog, words: "columns: [image, box, score, class]"},
		"an SSD of OpenVINO":     {outputs: []modeltest.Given{given("detection_out", []float32{0, 1, 0.9, 0.25, 0.125, 0.75, 0.625, -1}, 1, 20, 7)}, says: catAndDog, words: "columns: [image, class, score, box]"},
		"PaddleDetection":        {outputs: []modeltest.Given{row("multiclass_nms3_0", 1, 0.9, 16, 8, 48, 40), {Name: "n", Dims: []int64{1}, Values: []float32{1}, Whole: true}}, says: catAndDog, words: "columns: [class, score, box]", as: modeltest.Exported{Sizes: "im_shape"}},
		"NanoDet-Plus":           {outputs: []modeltest.Given{given("output", nanodet(85, 9), 85, 34)}, says: catAndDog, words: "decoder: nanodet"},
		"NanoDet":                {outputs: []modeltest.Given{given("output", nanodet(84, 8), 84, 34)}, says: catAndDog, words: "decoder: nanodet"},
		"RF-DETR":                {outputs: []modeltest.Given{given("dets", []float32{0.5, 0.375, 0.5, 0.5}, 300, 4), given("labels", ofThree, 300, 3)}, says: catAndDog, words: "activation: sigmoid"},
		"D-FINE": {outputs: []modeltest.Given{{Name: "labels", Dims: []int64{1, 300}, Values: []float32{1}, Whole: true}, given("boxes", []float32{16, 8, 48, 40}, 300, 4), given("scores", []float32{0.9}, 300)},
			says: catAndDog, words: "decoder: lists", as: modeltest.Exported{Sizes: "orig_target_sizes"}},
		"torchvision": {outputs: []modeltest.Given{{Name: "boxes", Dims: []int64{1, 4}, Values: []float32{16, 8, 48, 40}, Grows: true}, {Name: "labels", Dims: []int64{1}, Values: []float32{2}, Whole: true, Grows: true},
			{Name: "scores", Dims: []int64{1}, Values: []float32{0.9}, Grows: true}}, says: catAndDog, words: "first_class: 1", as: modeltest.Exported{Single: true}},
		"TensorFlow Lite": {outputs: []modeltest.Given{given("StatefulPartitionedCall:0", []float32{0.125, 0.25, 0.625, 0.75}, 10, 4), given("StatefulPartitionedCall:1", []float32{1}, 10), given("StatefulPartitionedCall:2", []float32{0.9}, 10), {Name: "StatefulPartitionedCall:3", Dims: []int64{1}, Values: []float32{1}}},
			says: catAndDog, words: "boxes: corners-yx", as: modeltest.Exported{Type: 2, Last: true}},
		"YOLOv8 in float16":  {outputs: []modeltest.Given{given("output0", raw(0), 6, 2100)}, says: catAndDog, words: "decoder: ultralytics", as: modeltest.Exported{Type: 10}},
		"YOLOv8 of any size": {outputs: []modeltest.Given{given("output0", raw(0), 6, 2100)}, says: with("imgsz", "[64, 64]"), words: "decoder: ultralytics", as: modeltest.Exported{Free: true}},
	}
}

func onDisk(t *testing.T, e exported) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "best.onnx")
	e.as.Pixels, e.as.Says, e.as.Outputs = 64, e.says, e.outputs
	if err := os.WriteFile(path, e.as.File(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// seen is what a model finds in a white picture of its own size.
func seen(t *testing.T, m model.Model) []vision.Box {
	t.Helper()
	n := open(t, m, ORTCPU, Layout{Sessions: 1})
	out, err := n.Run(t.Context(), []vision.Image{{W: 64, H: 64, Pix: bytes.Repeat([]byte{255}, 64*64*3)}})
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Boxes
}

func TestTheExportsThatPeopleMakeAreRecognisedAndRead(t *testing.T) {
	for name, e := range exports() {
		t.Run(name, func(t *testing.T) {
			g, err := Recognise(t.Context(), onDisk(t, e), t.TempDir(), nil, Layout{Sessions: 1})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(g.Output.Words(), e.words) {
				t.Errorf("%s, should have %s", g.Output.Words(), e.words)
			}
			m, err := model.Add(t.TempDir(), g) // by way of its manifest
			if err != nil {
				t.Fatal(err)
			}
			r, err := model.Open(filepath.Dir(filepath.Dir(filepath.Dir(m.Path))))
			if err == nil {
				m, err = r.Find("best")
			}
			if err != nil {
				t.Fatal(err, r.Problems())
			}
			oneBox(t, seen(t, m), nil, vision.Box{X: 16, Y: 8, W: 32, H: 32, Score: 0.9, Class: 1, Label: "dog"})
		})
	}
}

// fitsHere is a model's trial without a process of its own, which costs most of it.
func fitsHere(m model.Model) error {
	f, err := readFile(m)
	if err != nil {
		return err
	}
	c, err := f.try(ORTCPU, Layout{Sessions: 1, Threads: 1}, 1, nil, &Trial{})
	c.close()
	return err
}

// TestADecoderThatDoesNotFitIsToldBeforeAPicture gives every export to every decoder that is not its own: it
// is refused, or finds what is there.
func TestADecoderThatDoesNotFitIsToldBeforeAPicture(t *testing.T) {
	const size = "name: best\ntask: detect\ninput: {colour: rgb, size: [64, 64], fit: stretch}\noutput: {labels: [cat, dog], decoder: "
	for name, e := range exports() {
		if e.as.Type != 0 || e.as.Single || e.as.Free || e.as.Sizes != "" { // outputs like those of others
			continue
		}
		path := onDisk(t, e)
		for _, decoder := range []string{"ultralytics", "yolov5", "yolox", "end2end", "detr", "lists", "nanodet", "fastestdet", "picodet", "yunet"} {
			manifest, err := model.Parse("best.yaml", []byte(size+decoder+"}"))
			if err != nil {
				t.Fatal(err)
			}
			m := model.Model{Manifest: manifest, Path: path, Version: "1"}
			err = fitsHere(m)
			if errors.Is(err, ErrMisfit) {
				continue
			}
			if err != nil {
				t.Errorf("%s as %s: %v", name, decoder, err)
				continue
			}
			if b := seen(t, m); len(b) != 1 || math.Abs(float64(b[0].X-16)) > 1 || math.Abs(float64(b[0].W-32)) > 1 || b[0].Label != "dog" {
				t.Errorf("%s is taken as %s and gives %+v", name, decoder, b)
			}
		}
	}
}

func TestWhatDoesNotFitSaysWhatItLooksLike(t *testing.T) {
	all := exports()
	all["an oriented YOLO11"] = exported{outputs: []modeltest.Given{{Name: "output0", Dims: []int64{1, 7, 2100}}}, says: with("task", "obb")}
	for name, c := range map[string]struct {
		of, decoder, labels, says string
	}{
		"final rows":             {"YOLOv10", "ultralytics", "cat, dog", "end-to-end export"},
		"decoded":                {"YOLOX with decoding", "yolox", "cat, dog", "write decoder: yolov5"},
		"objectness":             {"YOLOv5", "ultralytics", "cat, dog", "decoder: yolov5"},
		"turned boxes":           {"an oriented YOLO11", "ultralytics", "cat, dog, angle", "write angle: true"},
		"labels too many":        {"YOLOv8", "ultralytics", "cat, dog, bird", "of 2 classes"},
		"an angle":               {"YOLOv8 with poses", "ultralytics", "cat, dog", "should be like [6 -1]"},
		"shares for pixels":      {"RT-DETR", "ultralytics", "cat, dog", "write unit: shares"},
		"labels that are missed": {"YOLOv10", "end2end", "cat", "the network gives class 1"},
	} {
		t.Run(name, func(t *testing.T) {
			manifest, err := model.Parse("best.yaml", []byte("name: best\ntask: detect\ninput: {colour: rgb, size: [64, 64], fit: stretch}\noutput: {labels: ["+c.labels+"], decoder: "+c.decoder+"}"))
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = Open(t.Context(), model.Model{Manifest: manifest, Path: onDisk(t, all[c.of]), Version: "1"}, Auto, Layout{Sessions: 1}, nil)
			if !errors.Is(err, ErrMisfit) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, should say %q", err, c.says)
			}
		})
	}
}

// TestSingleBoxesThatANetworkDoesNotBelieveInAreNoMisfit gives a few of a YOLOX's candidates sizes beyond all
// bounds, as real ones do of a made picture.
func TestSingleBoxesThatANetworkDoesNotBelieveInAreNoMisfit(t *testing.T) {
	e := exports()["YOLOX with decoding"]
	values := make([]float32, len(e.outputs[0].Values), 84*7)
	copy(values, e.outputs[0].Values)
	for i := 1; i < 84; i++ {
		values = append(values, 32, 24, 40, 30, 0, 0.1, 0.1)
	}
	values[7*10+2], values[7*11+3] = 37286, 12000
	e.outputs[0].Values = values
	g, err := Recognise(t.Context(), onDisk(t, e), t.TempDir(), nil, Layout{Sessions: 1})
	if err != nil || g.Output.Decoder != "yolov5" {
		t.Error(g.Output.Decoder, err)
	}
}

// TestATrialThatWasPassedIsNotAnotherDecoders remembers the trial of an export, and asks again with a
// decoder that does not fit.
func TestATrialThatWasPassedIsNotAnotherDecoders(t *testing.T) {
	l := Layout{Sessions: 1, Trials: t.TempDir()}
	g, err := Recognise(t.Context(), onDisk(t, exports()["YOLOX with decoding"]), t.TempDir(), nil, l)
	if err != nil {
		t.Fatal(err)
	}
	g.Output.Decoder, g.Output.Strides = "yolox", []int{8, 16, 32}
	if err := Try(t.Context(), g.Model, l); !errors.Is(err, ErrMisfit) {
		t.Error(err)
	}
}

// TestWeightsAndLabelsBesideAFileAreTaken keeps the weights of an export in a second file, as exporters do
// with large ones, and names its classes in a data.yaml.
func TestWeightsAndLabelsBesideAFileAreTaken(t *testing.T) {
	dir, e := t.TempDir(), exports()["YOLOv8"]
	onnx, weights := modeltest.Exported{Pixels: 64, Outputs: e.outputs, Beside: "best.onnx.data"}.Files()
	path := filepath.Join(dir, "best.onnx")
	for name, data := range map[string][]byte{"best.onnx": onnx, "best.onnx.data": weights, "data.yaml": []byte("nc: 2\nnames: [cat, dog]\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g, err := Recognise(t.Context(), path, t.TempDir(), nil, Layout{Sessions: 1})
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(g.Found, "\n"); !strings.Contains(said, "weights in best.onnx.data beside it") || !strings.Contains(said, "data.yaml, which lies beside it: cat, dog") {
		t.Error(said)
	}
	oneBox(t, seen(t, g.Model), nil, vision.Box{X: 16, Y: 8, W: 32, H: 32, Score: 0.9, Class: 1, Label: "dog"})
	if err := os.Remove(filepath.Join(dir, "data.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := Recognise(t.Context(), path, t.TempDir(), nil, Layout{Sessions: 1}); !errors.Is(err, model.ErrUnrecognised) || !strings.HasPrefix(err.Error(), path) {
		t.Errorf("%v, should name the file that was given", err)
	}
	if err := os.Truncate(filepath.Join(dir, "best.onnx.data"), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := Recognise(t.Context(), path, t.TempDir(), nil, Layout{Sessions: 1}); err == nil || !strings.Contains(err.Error(), "outside the file of 100 bytes") {
		t.Error(err)
	}
}

func TestAFileThatDoesNotSayEnoughIsRefusedWithWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		e    exported
		says string
	}{
		"no names":    {exported{outputs: exports()["YOLOv8"].outputs}, "2 classes and no names"},
		"final boxes": {exported{outputs: []modeltest.Given{{Name: "output0", Dims: []int64{1, 300, 6}}}}, "an unknown number of classes and no names"},
		"turned boxes": {exported{outputs: []modeltest.Given{{Name: "output0", Dims: []int64{1, 8, 2100}}},
			says: with("task", "obb")}, "oriented (obb) export, of another number of classes than the 2 labels"},
		"a map":            {exported{outputs: []modeltest.Given{{Name: "y", Dims: []int64{1, 3, 16, 16}}}}, "no detector that is known"},
		"names in no form": {exported{outputs: exports()["YOLOv8"].outputs, says: map[string]string{"names": "{0: "}}, "names"},
	} {
		if _, err := Recognise(t.Context(), onDisk(t, c.e), t.TempDir(), nil, Layout{Sessions: 1}); !errors.Is(err, model.ErrUnrecognised) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCandidatesThatAreNoBoxesAreCounted(t *testing.T) {
	e := exported{outputs: []modeltest.Given{{Name: "output0", Dims: []int64{1, 300, 6}, Values: []float32{
		16, 8, 48, 40, 0.9, 1, 16, 8, 48, 40, 0.8, 1, 16, 8, 48, 40, 0.75, 1, 16, 8, 16, 40, 0.7, 1, 16, 8, 48, 40, 0.6, -1}}}, says: catAndDog}
	g, err := Recognise(t.Context(), onDisk(t, e), t.TempDir(), nil, Layout{Sessions: 1})
	if err != nil {
		t.Fatal(err)
	}
	n := open(t, g.Model, ORTCPU, Layout{Sessions: 1})
	for range 2 {
		if _, err := n.Run(t.Context(), []vision.Image{{W: 64, H: 64, Pix: make([]byte, 64*64*3)}}); err != nil {
			t.Fatal(err)
		}
	}
	if seen, thrown := n.Candidates(); seen != 10 || thrown != 4 {
		t.Errorf("%d candidates, %d thrown away", seen, thrown)
	}
}
