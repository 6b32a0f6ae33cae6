package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/measure"
)

// canvas runs a command as a person would and gives what it prints.
func canvas(args ...string) (string, error) {
	app := cli.App("canvas", "test", "1", evalCommand(), detectCommand(), simulateCommand())
	var out bytes.Buffer
	app.Writer, app.ErrWriter = &out, &bytes.Buffer{}
	err := app.Run(append([]string{"canvas"}, args...))
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
// the command itself writes (testdata/coco_reference.py of lab/evaluate, with two files).
func TestADetectorIsMeasuredAsPycocotoolsDoes(t *testing.T) {
	dir, out := assets(t), t.TempDir()
	labels := filepath.Join(dir, "images", "sahi_terrain2_coco.json")
	text, err := canvas("eval", "detect", "--images", filepath.Join(dir, "images"), "--coco", labels, "--models", filepath.Join(dir, "models"),
		"--model", "picodet_s_416", "--engine", "onnxruntime-cpu", "--out", out, "--json")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"AP": 0.5426, "AP50": 0.8020, "AP75": 0.8020, "AP_small": -1.0000, "AP_medium": -1.0000, "AP_large": 0.5426, "AR_1": 0.1600, "AR_10": 0.5400, "AR_100": 0.5400, "AR_small": -1.0000, "AR_medium": -1.0000, "AR_large": 0.5400}
	again, err := canvas("eval", "detect", "--coco", labels, "--detections", filepath.Join(out, "detections.json"), "--json")
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
		"no masks":            {"mask", "--labels", labels},
		"a strange legend":    {"mask", "--labels", labels, "--mask", labels, "--legend", "fog"},
		"a cascade of one":    {"cascade", "detect", "--edge", "a", "--coco", labels, "--images", "."},
		"a budget of bytes":   {"cascade", "detect", "--edge", "a", "--cloud", "b", "--coco", labels, "--images", ".", "--budget", "4096"},
		"a way of its own":    {"cascade", "detect", "--edge", "a", "--cloud", "b", "--coco", labels, "--images", ".", "--send", "words"},
		"tiles of a pixel":    {"cascade", "mask", "--edge", "a", "--cloud", "b", "--labels", labels, "--scene", labels, "--tile", "1"},
		"a crowd of nobody":   {"track", "--objects", "0"},
		"tracks of nothing":   {"track", "--tracks", labels},
		"labels not of MOT":   {"track", "--truth", labels, "--tracks", labels},
		"both to score":       {"track", "--truth", labels, "--tracks", labels, "--detections", labels},
		"one to score of two": {"track", "--truth", labels, "--truth", labels, "--tracks", labels},
		"weak before strong":  {"track", "--continue", "0.9"},
		"two for one":         {"mask", "--labels", labels, "--mask", labels, "--mask", "."},
	} {
		if _, err := canvas(append([]string{"eval"}, args...)...); cli.Code(err) != cli.WrongUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMasksAreMeasuredOnLabels(t *testing.T) {
	dir, out := assets(t), t.TempDir()
	scenes := filepath.Join(dir, "scenes")
	labels := filepath.Join(scenes, "l8biome_Urban_00_0515_mask.tif")
	type figures struct {
		All struct {
			Pixels   int64
			Accuracy float64
			Classes  []struct{ IoU float64 }
			Thin     float64 `json:"thin_found"`
		}
		Tiles struct{ Tiles, Sent int }
	}
	measured := func(args ...string) (f figures) {
		t.Helper()
		text, err := canvas(append([]string{"eval", "mask", "--labels", labels, "--legend", "l8biome", "--json"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	scene := []string{"--scene", filepath.Join(scenes, "l8biome_Urban_00_0515.tif"), "--bands", "blue,green,red,nir,swir16,swir22,cirrus,lwir",
		"--models", filepath.Join(dir, "models"), "--engine", "onnxruntime-cpu", "--out", out}
	for name, least := range map[string]float64{"cloud_rgbiswir_256": 0.95, measure.SpectralScreen: 0.9, measure.VisibleScreen: 0.85, worker.SpectralRGB: 0.8, "cloud_rgbiswir_256,visible": 0.95, "visible,cloud_rgbiswir_256": 0.85} {
		f := measured(append(scene, "--model", name)...)
		if f.All.Pixels != 256*256 || f.All.Classes[2].IoU < least || f.All.Thin < 0.7 || f.Tiles.Tiles != 1 || f.Tiles.Sent != 1 {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "worst_01.png")); err != nil {
		t.Error(err)
	}
	// The labels' own numbers as a mask: 255 has no data in masks, the rest is no class at all.
	if f := measured("--mask", labels); f.All.Pixels != 0 || f.All.Accuracy != -1 {
		t.Errorf("labels as a mask: %+v", f)
	}
}

// TestBothEndsOfACascadeAreTheModelsAlone compares the ends of the curve with what the models reach by
// themselves, and a crop that is the whole picture with the picture.
func TestBothEndsOfACascadeAreTheModelsAlone(t *testing.T) {
	dir, out := assets(t), t.TempDir()
	var scenes []string
	for _, s := range []string{"Urban_00_0515", "Forest_03_0209"} {
		scenes = append(scenes, "--scene", filepath.Join(dir, "scenes", "l8biome_"+s+".tif"), "--labels", filepath.Join(dir, "scenes", "l8biome_"+s+"_mask.tif"))
	}
	scenes = append(scenes, "--legend", "l8biome", "--bands", "blue,green,red,nir,swir16,swir22,cirrus,lwir",
		"--models", filepath.Join(dir, "models"), "--engine", "onnxruntime-cpu", "--json")
	alone := func(model string) float64 {
		t.Helper()
		var f struct {
			All struct{ Classes []struct{ IoU float64 } }
		}
		text, err := canvas(append([]string{"eval", "mask", "--model", model}, scenes...)...)
		if err == nil {
			err = json.Unmarshal([]byte(text), &f)
		}
		if err != nil {
			t.Fatal(err)
		}
		return f.All.Classes[2].IoU
	}
	const edge, cloud = "ukis_csmask_6b_l1c", "cloud_rgbiswir_256"
	text, err := canvas(append([]string{"eval", "cascade", "mask", "--edge", edge, "--cloud", cloud, "--out", out}, scenes...)...)
	if err != nil {
		t.Fatal(err)
	}
	var r measure.CascadeReport
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if r.Pieces != 2 || r.Edge != alone(edge) || r.Cloud != alone(cloud) || r.Points[len(r.Points)-1].Quality != r.Cloud || r.AllBytes < 100_000 {
		t.Errorf("%+v; alone %g and %g", r, alone(edge), alone(cloud))
	}
	if drawn, err := os.ReadFile(filepath.Join(out, "cascade.svg")); err != nil || !bytes.Contains(drawn, []byte("polyline")) {
		t.Errorf("the curve: %v", err)
	}
}
