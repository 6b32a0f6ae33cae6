package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/cmd/internal/cli"
)

// canvas runs a command as a person would and gives what it prints.
func canvas(args ...string) (string, error) {
	app := cli.App("canvas", "test", "1", evalCommand())
	var out bytes.Buffer
	app.Writer, app.ErrWriter = &out, &bytes.Buffer{}
	err := app.Run(append([]string{"canvas", "eval"}, args...))
	return out.String(), err
}

// assets is the folder of real pictures and models.
func assets(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CANVAS_ASSETS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "assets")
	}
	if _, err := os.Stat(filepath.Join(dir, "images")); err != nil {
		t.Skipf("the assets are not there: set CANVAS_ASSETS to their folder (%v)", err)
	}
	return dir
}

// TestADetectorIsMeasuredAsPycocotoolsDoes holds what pycocotools 2.0 says of the detections that
// the command itself writes (testdata/coco_reference.py of shared/evaluate, with two files).
func TestADetectorIsMeasuredAsPycocotoolsDoes(t *testing.T) {
	dir, out := assets(t), t.TempDir()
	labels := filepath.Join(dir, "images", "sahi_terrain2_coco.json")
	text, err := canvas("detect", "--images", filepath.Join(dir, "images"), "--coco", labels, "--models", filepath.Join(dir, "models"),
		"--model", "picodet_s_416", "--engine", "onnxruntime-cpu", "--out", out, "--json")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"AP": 0.5426, "AP50": 0.8020, "AP75": 0.8020, "AP_small": -1.0000, "AP_medium": -1.0000, "AP_large": 0.5426, "AR_1": 0.1600, "AR_10": 0.5400, "AR_100": 0.5400, "AR_small": -1.0000, "AR_medium": -1.0000, "AR_large": 0.5400}
	again, err := canvas("detect", "--coco", labels, "--detections", filepath.Join(out, "detections.json"), "--json")
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{text, again} {
		var got map[string]any
		if err := json.Unmarshal([]byte(printed), &got); err != nil {
			t.Fatal(err)
		}
		for name, w := range want {
			if v, _ := got[name].(float64); math.Abs(v-w) > 0.001 {
				t.Errorf("%s: got %v, want %g", name, got[name], w)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(out, "worst_01_sahi_terrain2.jpg")); err != nil {
		t.Error(err)
	}
}

func TestEvaluationsRefuseWhatTheyCannotMeasure(t *testing.T) {
	labels := filepath.Join(t.TempDir(), "labels.json")
	if err := os.WriteFile(labels, []byte(`{"images":[{"id":1,"file_name":"a.png"}],"categories":[{"id":1,"name":"unicorn"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no labels":           {"detect"},
		"no such labels":      {"detect", "--coco", "missing.json", "--images", "."},
		"no pictures":         {"detect", "--coco", labels},
		"missing pictures":    {"detect", "--coco", labels, "--images", t.TempDir()},
		"results not of COCO": {"detect", "--coco", labels, "--detections", labels},
		"words":               {"detect", "--coco", labels, "more"},
	} {
		if _, err := canvas(args...); cli.Code(err) != cli.WrongUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
