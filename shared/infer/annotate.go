package infer

import (
	"fmt"
	"image"
	"image/color"

	"gocv.io/x/gocv"

	"cloudcanvas/shared/vision"
)

// Annotate is a copy of im with each box, its label and its score drawn. Classes have their own
// colours; the best box is drawn last, so that it lies on top.
func Annotate(im vision.Image, boxes []vision.Box) (vision.Image, error) {
	m, err := matOf(im)
	if err != nil {
		return vision.Image{}, err
	}
	defer m.Close()
	thick := max(1, min(im.W, im.H)/300)
	size := float64(max(0.4, float32(min(im.W, im.H))/1200))
	var failed error
	err = alone(func() {
		for i := len(boxes) - 1; i >= 0 && failed == nil; i-- {
			failed = draw(&m, boxes[i], thick, size)
		}
	})
	if failed == nil {
		failed = err
	}
	if failed != nil {
		return vision.Image{}, fmt.Errorf("drawing %d boxes: %w", len(boxes), failed)
	}
	return vision.Image{W: im.W, H: im.H, Pix: m.ToBytes()}, nil
}

func draw(m *gocv.Mat, b vision.Box, thick int, size float64) error {
	ink := palette[b.Class%len(palette)]
	box := image.Rect(int(b.X), int(b.Y), int(b.X+b.W), int(b.Y+b.H)).Intersect(image.Rect(0, 0, m.Cols(), m.Rows()))
	if err := gocv.Rectangle(m, box, ink, thick); err != nil {
		return err
	}
	for _, p := range b.Points {
		if err := gocv.Circle(m, image.Pt(int(p[0]), int(p[1])), thick+1, ink, -1); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s %.2f", b.Label, b.Score)
	extent := gocv.GetTextSize(text, gocv.FontHersheySimplex, size, 1)
	corner := image.Pt(max(0, min(box.Min.X, m.Cols()-extent.X)), max(extent.Y+2, box.Min.Y-3))
	back := image.Rect(corner.X, corner.Y-extent.Y-2, corner.X+extent.X+2, corner.Y+3)
	if err := gocv.Rectangle(m, back, ink, -1); err != nil {
		return err
	}
	return gocv.PutText(m, text, corner, gocv.FontHersheySimplex, size, color.RGBA{}, 1)
}

// palette has hues that differ for most eyes (after Okabe and Ito).
var palette = []color.RGBA{
	{230, 159, 0, 0}, {86, 180, 233, 0}, {0, 158, 115, 0}, {240, 228, 66, 0}, {213, 94, 0, 0}, {204, 121, 167, 0}, {160, 160, 255, 0},
}
