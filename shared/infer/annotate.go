package infer

import (
	"fmt"
	"image"
	"image/color"

	"gocv.io/x/gocv"

	"cloudcanvas/shared/vision"
)

// Annotate is a copy of im with each mark and its name, then each box, its label and its score drawn.
// Classes have their own colours; the best box is drawn last, so that it lies on top.
func Annotate(im vision.Image, boxes []vision.Box, marks []vision.Mark) (vision.Image, error) {
	m, err := matOf(im)
	if err != nil {
		return vision.Image{}, err
	}
	defer m.Close()
	thick := max(1, min(im.W, im.H)/300)
	size := float64(max(0.4, float32(min(im.W, im.H))/1200))
	var failed error
	err = alone(func() {
		for _, k := range marks {
			if failed = mark(&m, k, thick, size); failed != nil {
				return
			}
		}
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
	return caption(m, fmt.Sprintf("%s %.2f", b.Label, b.Score), box.Min, ink, size)
}

// mark draws a zone or a line in white, its name at its first point.
func mark(m *gocv.Mat, k vision.Mark, thick int, size float64) error {
	if len(k.Points) == 0 {
		return nil
	}
	at := make([]image.Point, len(k.Points))
	for i, p := range k.Points {
		at[i] = image.Pt(int(p[0]), int(p[1]))
	}
	points := gocv.NewPointsVectorFromPoints([][]image.Point{at})
	defer points.Close()
	if err := gocv.Polylines(m, points, k.Closed, white, thick); err != nil {
		return err
	}
	return caption(m, k.Name, at[0], white, size)
}

// caption writes text in black on ink, above a point and within the picture.
func caption(m *gocv.Mat, text string, at image.Point, ink color.RGBA, size float64) error {
	extent := gocv.GetTextSize(text, gocv.FontHersheySimplex, size, 1)
	corner := image.Pt(max(0, min(at.X, m.Cols()-extent.X)), max(extent.Y+2, at.Y-3))
	back := image.Rect(corner.X, corner.Y-extent.Y-2, corner.X+extent.X+2, corner.Y+3)
	if err := gocv.Rectangle(m, back, ink, -1); err != nil {
		return err
	}
	return gocv.PutText(m, text, corner, gocv.FontHersheySimplex, size, color.RGBA{}, 1)
}

var white = color.RGBA{255, 255, 255, 0}

// palette has hues that differ for most eyes (after Okabe and Ito).
var palette = []color.RGBA{
	{230, 159, 0, 0}, {86, 180, 233, 0}, {0, 158, 115, 0}, {240, 228, 66, 0}, {213, 94, 0, 0}, {204, 121, 167, 0}, {160, 160, 255, 0},
}
