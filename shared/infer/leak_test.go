//go:build matprofile

package infer

import (
	"context"
	"os"
	"testing"

	"gocv.io/x/gocv"

	"cloudcanvas/shared/vision"
)

// TestNoMatIsLeftBehind looks at frames in each engine and counts what OpenCV still holds: 10,000 of
// them in the long form, as `make soak` has it.
func TestNoMatIsLeftBehind(t *testing.T) {
	for _, engine := range cpuEngines() {
		t.Run(engine, func(t *testing.T) { noMatLeft(t, engine) })
	}
}

func noMatLeft(t *testing.T, engine string) {
	frames := 6
	if os.Getenv("CANVAS_SOAK") != "" {
		frames = 10_000
	}
	cut := 0 // pictures that are not whole take another way out
	before := gocv.MatProfile.Count()
	im := shot(t, "skimage_astronaut.png")
	n, _, err := Open(context.Background(), known(t, "yunet_n_320"), engine, Layout{Sessions: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range frames / 2 {
		out, err := n.Run(context.Background(), []vision.Image{im, im})
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := Annotate(im, out[0].Boxes, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := EncodeJPEG(drawn, 80)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeImage(data, 1<<24); err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeImage(data[:len(data)/4], 1<<24); err != nil {
			cut++
		}
	}
	n.Close()
	t.Logf("%d frames, %d pictures refused", frames, cut)
	if after := gocv.MatProfile.Count(); after != before {
		t.Fatalf("%d Mats before, %d after", before, after)
	}
}
