package vision

import "testing"

func TestWaterIsToldFromCloudByItsColour(t *testing.T) {
	for name, c := range map[string]struct {
		rgb   [3]float32 // of 255
		water bool
	}{
		"green sea": {[3]float32{89, 128, 102}, true}, "deep sea": {[3]float32{10, 30, 60}, true}, "blue sea": {[3]float32{30, 60, 90}, true},
		"lagoon": {[3]float32{80, 160, 170}, true}, "muddy river": {[3]float32{140, 130, 95}, true}, "dark green lake": {[3]float32{20, 45, 30}, true},
		"cloud": {[3]float32{235, 235, 240}, false}, "thin cloud over land": {[3]float32{70, 82, 95}, false}, "thin cloud over a wood": {[3]float32{42, 58, 66}, false},
		"grey": {[3]float32{120, 120, 120}, false}, "snow": {[3]float32{245, 250, 255}, false}, "nothing": {[3]float32{}, false},
	} {
		if r, g, b := c.rgb[0]/255, c.rgb[1]/255, c.rgb[2]/255; WaterColoured(b, g, r) != c.water {
			t.Errorf("%s: water is %v", name, !c.water)
		}
	}
}
