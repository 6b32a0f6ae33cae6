package infer

import (
	"math"
	"testing"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

func TestAMapOfAnomaliesBecomesABoxForEachArea(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		grid []float32 // 3 rows of 4, of a picture of 80 x 60
		want []vision.Box
	}{
		"two areas, one across a corner": {[]float32{
			1.2, 0, 0, 0,
			0, 1.6, 0, 0,
			0, 0, 0, 3,
		}, []vision.Box{{X: 60, Y: 40, W: 20, H: 20, Score: 1}, {W: 40, H: 40, Score: 0.8}}},
		"none, and the farthest place":    {[]float32{0, 0, 0, 0, 0, 0, 0.9, 0, 0, 0, 0, 0}, []vision.Box{{X: 40, Y: 20, W: 20, H: 20, Score: 0.45}}},
		"nothing at all":                  {make([]float32, 12), nil},
		"what is no number is a defect":   {[]float32{nan, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []vision.Box{{W: 20, H: 20, Score: 1}}},
		"the whole picture is not a part": {[]float32{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, []vision.Box{{W: 80, H: 60, Score: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := &anomaly{spec: model.Output{Labels: []string{"defect"}, Report: 0.55, ScoreFloor: 0.05, NMSIoU: 0.45}}
			g := geometry{w: 40, h: 30, rw: 40, rh: 30, sx: 0.5, sy: 0.5, iw: 80, ih: 60}
			out, err := d.decode([]tensor{{"map", []int{1, 1, 3, 4}, c.grid}}, 0, 1, g, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Boxes) != len(c.want) {
				t.Fatalf("%+v", out.Boxes)
			}
			for i, b := range out.Boxes {
				c.want[i].Label = "defect"
				if b.X != c.want[i].X || b.Y != c.want[i].Y || b.W != c.want[i].W || b.H != c.want[i].H || b.Score != c.want[i].Score || b.Label != "defect" {
					t.Errorf("%+v, want %+v", b, c.want[i])
				}
			}
		})
	}
}
