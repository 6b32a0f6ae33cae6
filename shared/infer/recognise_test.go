package infer

import (
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
	return map[string]exported{
		"YOLOv8":                 {[]modeltest.Given{given("output0", raw(0), 6, 2100)}, with("stride", "32", "task", "detect"), "decoder: ultralytics"},
		"YOLOv8 with masks":      {[]modeltest.Given{given("output0", raw(32), 38, 2100), given("output1", nil, 32, 16, 16)}, with("task", "segment"), "extra: 32"},
		"YOLOv8 with poses":      {[]modeltest.Given{given("output0", raw(51), 57, 2100)}, with("task", "pose"), "extra: 51"},
		"YOLOv5":                 {[]modeltest.Given{given("output0", []float32{32, 24, 32, 32, 0.95, 0, 0.9 / 0.95}, 3*cells*10, 7)}, with("stride", "32"), "decoder: yolov5"},
		"YOLOv10":                {[]modeltest.Given{given("output0", []float32{16, 8, 48, 40, 0.9, 1}, 300, 6)}, catAndDog, "decoder: end2end"},
		"YOLO26 with masks":      {[]modeltest.Given{given("output0", []float32{16, 8, 48, 40, 0.9, 1}, 300, 38), given("output1", nil, 32, 16, 16)}, with("end2end", "True", "task", "segment"), "decoder: end2end"},
		"YOLOX":                  {[]modeltest.Given{given("output", yolox, cells, 7)}, catAndDog, "decoder: yolox"},
		"YOLOX with decoding":    {[]modeltest.Given{given("output", []float32{32, 24, 32, 32, 1, 0, 0.9}, cells, 7)}, catAndDog, "decoder: yolov5"},
		"RT-DETR":                {[]modeltest.Given{given("output0", []float32{0.5, 0.375, 0.5, 0.5, 0, 0.9}, 300, 6)}, with("head", "RTDETRDecoder"), ""},
		"RT-DETR, final rows":    {[]modeltest.Given{given("output0", []float32{0.5, 0.375, 0.5, 0.5, 0.9, 1}, 300, 6)}, with("head", "RTDETRDecoder"), "decoder: end2end"},
		"DETR with logits":       {[]modeltest.Given{given("dets", []float32{0.5, 0.375, 0.5, 0.5}, 300, 4), given("labels", logits, 300, 2)}, catAndDog, "activation: logits"},
		"DETR, scores first":     {[]modeltest.Given{given("scores", []float32{0, 0.9}, 300, 2), given("pred_boxes", []float32{0.5, 0.375, 0.5, 0.5}, 300, 4)}, catAndDog, "activation: probabilities"},
		"YOLO-NAS":               {[]modeltest.Given{given("boxes", []float32{16, 8, 48, 40}, 2100, 4), given("scores", []float32{0, 0.9}, 2100, 2)}, catAndDog, "boxes: corners"},
		"TensorFlow's detection": {[]modeltest.Given{given("detection_boxes", []float32{0.125, 0.25, 0.625, 0.75}, 10, 4), given("detection_classes", []float32{2}, 10), given("detection_scores", []float32{0.9}, 10), given("num_detections", []float32{1}, 1)}, catAndDog, "first_class: 1"},
		"YOLOv7 end to end":      {[]modeltest.Given{given("num_dets", []float32{1}, 1), given("det_boxes", []float32{16, 8, 48, 40}, 100, 4), given("det_scores", []float32{0.9}, 100), given("det_classes", []float32{1}, 100)}, catAndDog, "decoder: lists"},
	}
}

func onDisk(t *testing.T, e exported) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "best.onnx")
	if err := os.WriteFile(path, modeltest.Export(64, e.says, e.outputs...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// seen is what a model finds in a grey picture of its own size.
func seen(t *testing.T, m model.Model) []vision.Box {
	t.Helper()
	n := open(t, m, ORTCPU, Layout{Sessions: 1})
	out, err := n.Run(t.Context(), []vision.Image{{W: 64, H: 64, Pix: make([]byte, 64*64*3)}})
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Boxes
}

func TestTheExportsThatPeopleMakeAreRecognisedAndRead(t *testing.T) {
	for name, e := range exports() {
		t.Run(name, func(t *testing.T) {
			g, err := Recognise(t.Context(), onDisk(t, e), nil, Layout{Sessions: 1})
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

// TestADecoderThatDoesNotFitIsToldBeforeAPicture gives every export to every decoder that is not its own: it
// is refused, or finds what is there.
func TestADecoderThatDoesNotFitIsToldBeforeAPicture(t *testing.T) {
	const size = "name: best\ntask: detect\ninput: {colour: rgb, size: [64, 64], fit: stretch}\noutput: {labels: [cat, dog], decoder: "
	for name, e := range exports() {
		path := onDisk(t, e)
		for _, decoder := range []string{"ultralytics", "yolov5", "yolox", "end2end", "detr", "lists", "fastestdet", "picodet", "yunet"} {
			manifest, err := model.Parse("best.yaml", []byte(size+decoder+"}"))
			if err != nil {
				t.Fatal(err)
			}
			n, _, err := Open(t.Context(), model.Model{Manifest: manifest, Path: path, Version: "1"}, ORTCPU, Layout{Sessions: 1}, nil)
			if errors.Is(err, ErrMisfit) {
				continue
			}
			if err != nil {
				t.Errorf("%s as %s: %v", name, decoder, err)
				continue
			}
			out, err := n.Run(t.Context(), []vision.Image{{W: 64, H: 64, Pix: make([]byte, 64*64*3)}})
			n.Close()
			if err != nil {
				t.Errorf("%s as %s: %v", name, decoder, err)
			} else if b := out[0].Boxes; len(b) != 1 || math.Abs(float64(b[0].X-16)) > 1 || math.Abs(float64(b[0].W-32)) > 1 || b[0].Label != "dog" {
				t.Errorf("%s is taken as %s and gives %+v", name, decoder, b)
			}
		}
	}
}

func TestWhatDoesNotFitSaysWhatItLooksLike(t *testing.T) {
	all := exports()
	for name, c := range map[string]struct {
		of, decoder, labels, says string
	}{
		"final rows":             {"YOLOv10", "ultralytics", "cat, dog", "end-to-end export"},
		"decoded":                {"YOLOX with decoding", "yolox", "cat, dog", "write decoder: yolov5"},
		"objectness":             {"YOLOv5", "ultralytics", "cat, dog", "decoder: yolov5"},
		"labels too many":        {"YOLOv8", "ultralytics", "cat, dog, bird", "of 2 classes"},
		"an angle":               {"YOLOv8 with poses", "ultralytics", "cat, dog", "should be like [6 -1]"},
		"shares for pixels":      {"RT-DETR", "ultralytics", "cat, dog", "write unit: shares"},
		"labels that are missed": {"YOLOv10", "end2end", "cat", "class 1 is told"},
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

func TestAFileThatDoesNotSayEnoughIsRefusedWithWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		e    exported
		says string
	}{
		"no names": {exported{outputs: exports()["YOLOv8"].outputs}, "2 classes and no names"},
		"turned boxes": {exported{outputs: []modeltest.Given{{Name: "output0", Dims: []int64{1, 7, 2100}}},
			says: with("task", "obb")}, "oriented"},
		"a map":            {exported{outputs: []modeltest.Given{{Name: "y", Dims: []int64{1, 3, 16, 16}}}}, "no detector that is known"},
		"names in no form": {exported{outputs: exports()["YOLOv8"].outputs, says: map[string]string{"names": "{0: "}}, "names"},
	} {
		if _, err := Recognise(t.Context(), onDisk(t, c.e), nil, Layout{Sessions: 1}); !errors.Is(err, model.ErrUnrecognised) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCandidatesThatAreNoBoxesAreCounted(t *testing.T) {
	e := exported{outputs: []modeltest.Given{{Name: "output0", Dims: []int64{1, 300, 6}, Values: []float32{
		16, 8, 48, 40, 0.9, 1, 16, 8, 48, 40, 0.8, 1, 16, 8, 48, 40, 0.75, 1, 16, 8, 16, 40, 0.7, 1, 16, 8, 48, 40, 0.6, -1}}}, says: catAndDog}
	g, err := Recognise(t.Context(), onDisk(t, e), nil, Layout{Sessions: 1})
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
