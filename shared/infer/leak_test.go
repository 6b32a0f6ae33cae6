//go:build matprofile

package infer

import (
	"context"
	"testing"

	"gocv.io/x/gocv"

	"cloudcanvas/shared/vision"
)

// go test -tags matprofile,… -run Leak ./shared/infer
func TestNoMatIsLeftBehind(t *testing.T) {
	before := gocv.MatProfile.Count()
	im := shot(t, "skimage_astronaut.png")
	n, _, err := Open(context.Background(), known(t, "yunet_n_320"), OpenCVCPU, Layout{Sessions: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		out, err := n.Run(context.Background(), []vision.Image{im, im})
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := Annotate(im, out[0].Boxes)
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
			t.Log("a cut picture:", err)
		}
	}
	n.Close()
	if after := gocv.MatProfile.Count(); after != before {
		t.Fatalf("%d Mats before, %d after", before, after)
	}
}
