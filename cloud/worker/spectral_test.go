package worker

import (
	"testing"

	"cloudcanvas/shared/vision"
)

// TestTheRuleForColoursTakesNoSeaForCloud shows it whole tiles of one colour, as pictures and as bands.
func TestTheRuleForColoursTakesNoSeaForCloud(t *testing.T) {
	for name, c := range map[string]struct {
		bgr  [3]byte
		want byte
	}{
		"bright green sea": {[3]byte{102, 128, 89}, vision.Clear}, "deep sea": {[3]byte{60, 30, 10}, vision.Clear},
		"lagoon": {[3]byte{170, 160, 80}, vision.Clear}, "muddy river": {[3]byte{95, 130, 140}, vision.Clear},
		"deep shadow": {[3]byte{30, 20, 15}, vision.Clear}, "cloud": {[3]byte{240, 235, 235}, vision.Cloud}, "thin cloud": {[3]byte{95, 82, 70}, vision.Cloud},
	} {
		picture, bands := vision.Image{W: 2, H: 2}, vision.Image{W: 2, H: 2, Bands: []string{"blue", "green", "red"}}
		for range 4 {
			picture.Pix = append(picture.Pix, c.bgr[:]...)
		}
		for _, v := range c.bgr {
			f := float32(v) / 255
			bands.Planes = append(bands.Planes, []float32{f, f, f, f})
		}
		for form, im := range map[string]vision.Image{"picture": picture, "bands": bands} {
			if mask, err := SpectralMask(t.Context(), im); err != nil || mask.Class[0] != c.want {
				t.Errorf("%s as %s: %v, %v", name, form, mask.Class, err)
			}
		}
	}
	if _, err := SpectralMask(t.Context(), vision.Image{W: 1, H: 1, Bands: []string{"blue", "red"}, Planes: [][]float32{{1}, {1}}}); err == nil {
		t.Error("a picture without green was judged")
	}
}
