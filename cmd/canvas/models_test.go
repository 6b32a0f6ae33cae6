package main

import (
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/lab/measure"
	"cloudcanvas/shared/model/modeltest"
)

// ownFile is a folder with a network that sees a dog at 16, 8 to 48, 40, a picture of its size, and labels of it.
func ownFile(t *testing.T, says map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	onnx := modeltest.Export(64, says, modeltest.Given{Name: "output0", Dims: []int64{1, 300, 6}, Values: []float32{16, 8, 48, 40, 0.9, 1}})
	picture, err := os.Create(filepath.Join(dir, "white.png"))
	if err == nil {
		err = png.Encode(picture, image.NewGray(image.Rect(0, 0, 64, 64)))
		picture.Close()
	}
	truth := `{"images":[{"id":1,"file_name":"white.png","width":64,"height":64}],"categories":[{"id":5,"name":"dog"}],` +
		`"annotations":[{"id":1,"image_id":1,"category_id":5,"bbox":[16,8,32,32],"area":1024,"iscrowd":0}]}`
	for name, data := range map[string]string{"best.onnx": string(onnx), "coco.json": truth, "words": "cat\ndog\n"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDetectAndEvalTakeAFileAsProcessDoes(t *testing.T) {
	dir := ownFile(t, nil)
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, args := range map[string][]string{
		"detect": {"detect", "--scene", at("white.png"), "--out", at("out"), "--detector", at("best.onnx")},
		"eval":   {"eval", "detect", "--images", dir, "--coco", at("coco.json"), "--json", "--model", at("best.onnx")},
	} {
		if said, err := canvas(args...); err == nil || !strings.Contains(err.Error(), "--labels FILE") {
			t.Errorf("%s without names: %v\n%s", name, err, said)
		}
		said, err := canvas(append(args, "--labels", at("words"))...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, said)
		}
		switch name {
		case "detect":
			if data, err := os.ReadFile(at("out/white/categories.json")); err != nil || !strings.Contains(string(data), "dog") || !strings.Contains(said, "found 2 labels as you name them") {
				t.Errorf("%s, %v\n%s", data, err, said)
			}
		case "eval":
			var report measure.DetectReport
			if err := json.Unmarshal([]byte(said), &report); err != nil || report.AP < 0.99 {
				t.Errorf("%v\n%s", err, said)
			}
		}
	}
	if said, err := canvas("detect", "--scene", at("white.png"), "--out", at("out"), "--detector", "yolox_nano", "--labels", at("words")); err == nil || !strings.Contains(err.Error(), "an .onnx file that --detector gives") {
		t.Errorf("labels of a model by name: %v\n%s", err, said)
	}
}
