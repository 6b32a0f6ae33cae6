package worker

import (
	"slices"
	"testing"

	"cloudcanvas/shared/vision"
)

// TestWhatTheDeviceKeptBackIsOfItsOwnMask: a tile's blocks that did not come have the device's classes in the result,
// or are said to be unknown where it gave none; what has no data stays so.
func TestWhatTheDeviceKeptBackIsOfItsOwnMask(t *testing.T) {
	for _, c := range []struct {
		given  []byte
		class  []byte
		shadow []byte
		cloud  []byte
	}{
		{[]byte{0, 2, 2, 1, 0}, []byte{1, 2, 255, 1, 0}, []byte{200, 0, 255, 254, 0}, []byte{30, 254, 255, 0, 0}},
		{nil, []byte{1, vision.NotJudged, 255, vision.NotJudged, vision.NotJudged}, []byte{200, 255, 255, 255, 255}, []byte{30, 254, 255, 254, 254}},
	} {
		j := &job{image: vision.Image{W: 5, H: 1, Void: []byte{0, 0, 1, 0, 0}}, wanted: []bool{true, false, false, false, false}, given: c.given}
		m := vision.Mask{W: 5, H: 1, Class: []byte{1, 255, 255, 255, 255}, Probabilities: [][]byte{{200, 255, 255, 255, 255}, {30, 255, 255, 255, 255}, {1, 255, 255, 255, 255}}}
		j.fillIn(&m)
		if !slices.Equal(m.Class, c.class) || !slices.Equal(m.Probabilities[0], c.shadow) || !slices.Equal(m.Probabilities[1], c.cloud) {
			t.Errorf("classes %v, shadow %v, cloud %v", m.Class, m.Probabilities[0], m.Probabilities[1])
		}
	}
}
