package vision

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"slices"
	"testing"
)

func TestSharesAreReadAsTheyWereWritten(t *testing.T) {
	m := Mask{W: 3, H: 2, Class: []byte{Clear, Shadow, Cloud, Cloud, NoData, Clear}}
	var data []byte
	for _, level := range []png.CompressionLevel{png.BestCompression, png.BestSpeed} {
		var err error
		if data, err = EncodeProbabilities(m, level); err != nil {
			t.Fatal(err)
		}
		planes, err := DecodeProbabilities(data, 3, 2)
		if err != nil {
			t.Fatal(err)
		}
		want := [][]byte{{0, ProbabilityOne, 0, 0, 255, 0}, {0, 0, ProbabilityOne, ProbabilityOne, 255, 0}}
		for i, plane := range want {
			if !bytes.Equal(planes[i], plane) {
				t.Errorf("level %d, plane %d: %v", level, i+1, planes[i])
			}
		}
	}
	for _, size := range [][2]int{{2, 3}, {3, 3}, {3, 0}, {6, 1}, {-3, -2}} {
		if _, err := DecodeProbabilities(data, size[0], size[1]); err == nil {
			t.Errorf("read as a mask of %d x %d", size[0], size[1])
		}
	}
	if _, err := DecodeProbabilities(data[:len(data)/2], 3, 2); err == nil {
		t.Error("half a picture was read")
	}
}

func TestSharesInOtherColoursAreRefused(t *testing.T) {
	colours := slices.Clone(grays)
	colours[7] = color.RGBA{7, 8, 7, 255}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewPaletted(image.Rect(0, 0, 3, 2), colours)); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeProbabilities(b.Bytes(), 3, 2); err == nil {
		t.Error("read as grays")
	}
}
