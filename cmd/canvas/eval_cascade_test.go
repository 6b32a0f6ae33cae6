package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/lab/measure"
)

// TestBothWaysOfACascadeBeginAtTheDeviceAlone sends crops and whole pictures of one labelled picture:
// where all is sent whole, what comes out is the cloud's.
func TestBothWaysOfACascadeBeginAtTheDeviceAlone(t *testing.T) {
	dir, out := assets(t), t.TempDir()
	text, err := canvas("eval", "cascade", "detect", "--edge", "fastestdet", "--cloud", "picodet_s_416", "--models", filepath.Join(dir, "models"),
		"--images", filepath.Join(dir, "images"), "--coco", filepath.Join(dir, "images", "sahi_terrain2_coco.json"), "--engine", "onnxruntime-cpu", "--budget", "1", "--out", out, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var r measure.CascadeReport
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.Cloud-0.5426) > 0.001 || len(r.Ways) != 2 || r.Ways[0].Send != measure.SendCrops || r.Ways[1].Send != measure.SendPictures {
		t.Fatalf("%+v", r)
	}
	for _, w := range r.Ways {
		first := w.Points[0]
		if w.Pieces == 0 || w.Edge != r.Edge || w.Cloud != r.Cloud || first.Quality != r.Edge || first.Bytes != 0 || first.Sent != 0 {
			t.Errorf("%+v", w)
		}
	}
	if crops, whole := r.Ways[0], r.Ways[1]; len(crops.Points) < 3 || whole.Pieces != 1 || whole.Points[1].Quality != r.Cloud || whole.Points[1].Bytes != 1 {
		t.Errorf("%+v", r.Ways)
	}
	if drawn, err := os.ReadFile(filepath.Join(out, "cascade.svg")); err != nil || bytes.Count(drawn, []byte("<polyline")) != 2 {
		t.Errorf("two curves: %v", err)
	}
}

// TestTheCloudsModelSeesWhatTheLinkCarries measures the cloud's model behind JPEGs of almost no quality.
func TestTheCloudsModelSeesWhatTheLinkCarries(t *testing.T) {
	dir := assets(t)
	at := func(quality string) (r measure.CascadeReport) {
		text, err := canvas("eval", "cascade", "detect", "--edge", "fastestdet", "--cloud", "picodet_s_416", "--models", filepath.Join(dir, "models"), "--send", "pictures", "--quality", quality,
			"--images", filepath.Join(dir, "images"), "--coco", filepath.Join(dir, "images", "sahi_terrain2_coco.json"), "--engine", "onnxruntime-cpu", "--budget", "1", "--json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	low, high := at("1"), at("95")
	if low.Edge != high.Edge || low.Cloud >= high.Cloud || low.AllBytes >= high.AllBytes/4 {
		t.Errorf("AP %.3f of %d bytes at quality 1, %.3f of %d at 95; alone on the device %.3f and %.3f", low.Cloud, low.AllBytes, high.Cloud, high.AllBytes, low.Edge, high.Edge)
	}
}
