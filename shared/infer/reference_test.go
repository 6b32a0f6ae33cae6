package infer

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"cloudcanvas/shared/vision"
)

// expected is one detection of testdata/detections.json, which reference.py computed.
type expected struct {
	Class  int
	Score  float32
	Box    [4]float32
	Points []float32
}

func TestDetectionsEqualThePythonReference(t *testing.T) {
	data, err := os.ReadFile("testdata/detections.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string][]expected
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for name, pictures := range all {
		for _, engine := range cpuEngines() {
			t.Run(name+"/"+engine, func(t *testing.T) {
				n := open(t, known(t, name), engine, Layout{Sessions: 1})
				for picture, want := range pictures {
					out, err := n.Run(context.Background(), []vision.Image{shot(t, picture)})
					if err != nil {
						t.Fatal(err)
					}
					sameBoxes(t, picture, out[0].Boxes, want)
				}
			})
		}
	}
}

// sameBoxes wants every box on the other side within 1 pixel and 0.01 score. Scores within 0.01 of
// the floor may fall on either side of it.
func sameBoxes(t *testing.T, picture string, got []vision.Box, want []expected) {
	t.Helper()
	const floor = 0.05
	near := func(b vision.Box, e expected) bool {
		dx := max(math.Abs(float64(b.X-e.Box[0])), math.Abs(float64(b.Y-e.Box[1])), math.Abs(float64(b.W-e.Box[2])), math.Abs(float64(b.H-e.Box[3])))
		for i, p := range e.Points {
			dx = max(dx, math.Abs(float64(b.Points[i/2][i%2]-p)))
		}
		return b.Class == e.Class && math.Abs(float64(b.Score-e.Score)) <= 0.01 && dx <= 1
	}
	for _, e := range want {
		found := false
		for _, b := range got {
			found = found || near(b, e)
		}
		if !found && e.Score > floor+0.01 {
			t.Errorf("%s: no detection like %+v", picture, e)
		}
	}
	for i, b := range got {
		found := false
		for _, e := range want {
			found = found || near(b, e)
		}
		if !found && b.Score > floor+0.01 {
			t.Errorf("%s: %+v is not in the reference", picture, b)
		}
		if i > 0 && b.Score > got[i-1].Score {
			t.Errorf("%s: detection %d is better than the one before it", picture, i)
		}
		if b.Label == "" {
			t.Errorf("%s: detection %d has no label", picture, i)
		}
	}
}

func TestMasksEqualThePythonReference(t *testing.T) {
	for _, name := range []string{"ukis_csmask_4b_l1c", "ukis_csmask_4b_l2a", "ukis_csmask_6b_l1c", "ukis_csmask_6b_l2a", "cloud_rgbiswir_256"} {
		for _, engine := range cpuEngines() {
			if engine == OpenCVCPU && name != "ukis_csmask_6b_l1c" && name != "cloud_rgbiswir_256" && os.Getenv("CANVAS_SOAK") == "" {
				continue // seconds, and nothing that the others do not show
			}
			t.Run(name+"/"+engine, func(t *testing.T) {
				n := open(t, known(t, name), engine, Layout{Sessions: 1})
				for _, c := range [][2]int{{0, 0}, {256, 0}, {0, 256}, {256, 256}} {
					want := grayPNG(t, fmt.Sprintf("testdata/%s_%d_%d.png", name, c[0], c[1]))
					out, err := n.Run(context.Background(), []vision.Image{scene(t, c[0], c[1], 256, 256)})
					if err != nil {
						t.Fatal(err)
					}
					if share := equalShare(out[0].Mask.Class, want); share < 0.999 {
						t.Errorf("window %v: %.4f of the pixels are equal, should be 0.999", c, share)
					}
				}
			})
		}
	}
}

func equalShare(a, b []byte) float64 {
	if len(a) != len(b) {
		return 0
	}
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	return float64(same) / float64(len(a))
}

func grayPNG(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	im, err := DecodeImage(data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	gray := make([]byte, im.W*im.H)
	for i := range gray {
		gray[i] = im.Pix[3*i]
	}
	return gray
}
