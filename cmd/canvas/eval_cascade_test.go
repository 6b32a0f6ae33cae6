package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/lab/evaluate"
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
	var r cascadeReport
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.Cloud-0.5426) > 0.001 || len(r.Ways) != 2 || r.Ways[0].Send != sendCrops || r.Ways[1].Send != sendPictures {
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

func TestTheBetterWayWithinTheBudgetIsRecommended(t *testing.T) {
	of := func(send string, pays bool, quality, bytes float64) way {
		return way{Send: send, Cascade: evaluate.Cascade{Pays: pays, Chosen: evaluate.CascadePoint{Quality: quality, Bytes: bytes}}}
	}
	for name, ways := range map[string][]way{
		"what pays":        {of("b", false, 0.4, 0.1), of("a", true, 0.3, 0.4)},
		"what gives more":  {of("a", true, 0.4, 0.4), of("b", true, 0.3, 0.1)},
		"what costs less":  {of("b", true, 0.4, 0.4), of("a", true, 0.4, 0.1)},
		"the only one":     {of("a", false, 0, 0)},
		"of equals, first": {of("a", true, 0.4, 0.4), of("b", true, 0.4, 0.4)},
	} {
		var r cascadeReport
		if r.recommend(ways); r.Send != "a" || len(r.curves()) != len(ways) {
			t.Errorf("%s: %s", name, r.Send)
		}
	}
}

// TestASettingLetsThroughWhatItWasMeasuredFor: rounded up, it would leave the last piece behind.
func TestASettingLetsThroughWhatItWasMeasuredFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Float64Range(0, 1000).Draw(t, "limit")
		got, err := strconv.ParseFloat(noMore(limit), 64)
		if err != nil || got > limit*(1+1e-12) || got < limit*0.9989 {
			t.Fatalf("%g for %g: %v", got, limit, err)
		}
	})
}
