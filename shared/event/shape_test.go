package event

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"cloudcanvas/shared/vision"
)

func TestAShapeStandsBesideTheBox(t *testing.T) {
	b := vision.Box{Corners: [][2]float32{{1, 2}, {3, 2.004}, {3, 4}, {1, 4}}, Keypoints: [][3]float32{{5, 6, 0.5}}, Outline: [][][2]float32{{{1, 2}, {3, 2}, {3, 4}}}}
	got, err := json.Marshal(Box{Label: "boat", CategoryID: 9, BBox: [4]float32{1, 2, 2, 2}, Score: 0.5, Shape: ShapeOf(b)})
	want := `{"label":"boat","category_id":9,"bbox":[1,2,2,2],"score":0.5,"corners":[1,2,3,2,3,4,1,4],"keypoints":[5,6,0.5],"segmentation":[[1,2,3,2,3,4]]}`
	if err != nil || string(got) != want {
		t.Errorf("%s, want %s, %v", got, want, err)
	}
	if got, _ := json.Marshal(Box{Label: "boat"}); string(got) != `{"label":"boat","category_id":0,"bbox":[0,0,0,0],"score":0}` {
		t.Errorf("a box alone: %s", got)
	}
	b.Corners[0][0] = float32(math.NaN())
	if _, err := json.Marshal(ShapeOf(b)); err != nil || len(ShapeOf(b).Corners) != 0 {
		t.Errorf("no number is reported: %+v, %v", ShapeOf(b), err)
	}
}

func TestAShapeFromOutsideIsBounded(t *testing.T) {
	for name, s := range map[string]Shape{
		"three corners":   {Corners: make([]float32, 6)},
		"far away":        {Corners: []float32{0, 0, 1e9, 0, 0, 0, 0, 0}},
		"half a point":    {Keypoints: make([]float32, 4)},
		"points of a lot": {Keypoints: make([]float32, 3*maxKeypoints+3)},
		"half a corner":   {Segmentation: [][]float32{make([]float32, 7)}},
		"many parts":      {Segmentation: make([][]float32, maxBorders+1)},
		"a long outline":  {Segmentation: [][]float32{make([]float32, 2*maxOutline+2)}},
	} {
		d := Detections{Camera: "gate", Frames: []FrameDetection{{Boxes: []Box{{Shape: s}}}}, Last: 0}
		if err := d.Check(); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
