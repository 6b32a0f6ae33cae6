package infer

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// ownModel is what a user does: a bare .onnx file with a manifest of its name beside it.
func ownModel(t *testing.T, file, manifest string) model.Model {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(filepath.Join("testdata", file+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{file + ".onnx": string(data), file + ".yaml": "name: " + file + "\n" + manifest} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := model.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Find(file)
	if err != nil {
		t.Fatal(err, r.Problems())
	}
	return m
}

func TestAUsersOwnClassifierRunsInBatchesOfAnySize(t *testing.T) {
	m := ownModel(t, "tiny_classes", `
task: classify
input: {colour: rgb, multiple_of: 8, max_side: 64, fit: stretch, std: [255], batch: 4}
output: {decoder: classes, labels: [red, green, blue], top: 2}
`)
	blue := vision.Image{W: 30, H: 20, Pix: []byte(strings.Repeat("\xff\x00\x33", 600))}
	green := vision.Image{W: 17, H: 9, Pix: []byte(strings.Repeat("\x00\xcc\x00", 153))}
	for _, engine := range cpuEngines() {
		n := open(t, m, engine, Layout{Sessions: 1, MaxBatch: 4})
		out, err := n.Run(context.Background(), []vision.Image{blue, blue, green, blue, green, green})
		if err != nil {
			t.Fatalf("%s: %v", engine, err)
		}
		for i, want := range []string{"blue", "blue", "green", "blue", "green", "green"} {
			if c := out[i].Classes; len(c) != 2 || c[0].Label != want || math.Abs(float64(c[0].Score)-map[string]float64{"blue": 1, "green": 0.8}[want]) > 1e-4 {
				t.Errorf("%s: image %d is %+v, want %s", engine, i, c, want)
			}
		}
	}
}

func TestAUsersOwnSegmentationTakesChannelsLast(t *testing.T) {
	m := ownModel(t, "tiny_dense", `
task: segment
input: {bands: [swir16], multiple_of: 4, layout: nhwc, batch: 2}
output: {decoder: dense, choose: threshold, threshold: 0.25, class_map: [0, 1]}
`)
	im := vision.Image{W: 5, H: 2, Bands: []string{"red", "swir16"}, Planes: [][]float32{make([]float32, 10), {0, 0.2, 0.3, 0.4, 0.1, 0.5, 0, 0, 0, 0.26}}}
	n := open(t, m, ORTCPU, Layout{Sessions: 1, MaxBatch: 2})
	out, err := n.Run(context.Background(), []vision.Image{im, im})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(out[1].Mask.Class); got != "\x00\x00\x01\x01\x00\x01\x00\x00\x00\x01" {
		t.Fatalf("mask %v", out[1].Mask.Class)
	}
}

func TestNetworksOfOtherKindsAreRefusedInWords(t *testing.T) {
	const manifest = "task: segment\ninput: {colour: rgb, size: [8, 8]}\noutput: {decoder: dense}\n"
	_, _, err := Open(context.Background(), ownModel(t, "tiny_two", manifest), ORTCPU, Layout{}, nil)
	if err == nil || !strings.Contains(err.Error(), "takes 2 inputs") {
		t.Error(err)
	}
}

func TestOutputsOfWholeNumbersAreReadInEachEngine(t *testing.T) {
	const manifest = "task: segment\ninput: {colour: rgb, size: [8, 8]}\noutput: {decoder: dense}\n"
	for _, engine := range cpuEngines() {
		open(t, ownModel(t, "tiny_ints", manifest), engine, Layout{Sessions: 1})
	}
}

// TestAnEngineThatCannotRunTheNetworkLeavesItToTheOther takes a file of an operator set that is not there yet,
// which ONNX Runtime alone holds against it.
func TestAnEngineThatCannotRunTheNetworkLeavesItToTheOther(t *testing.T) {
	e := exports()["YOLOv10"]
	e.as.Opset = 99
	g, err := Recognise(t.Context(), onDisk(t, e), t.TempDir(), nil, Layout{Sessions: 1})
	if err != nil {
		t.Fatal(err)
	}
	n, r, err := Open(t.Context(), g.Model, Auto, Layout{Sessions: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if r.Engine == ORTCPU {
		t.Errorf("%s runs it", r.Engine)
	}
	for _, trial := range r.Trials {
		if trial.Engine == ORTCPU && !strings.Contains(trial.Reason, "opset") {
			t.Errorf("trial %+v", trial)
		}
	}
}
