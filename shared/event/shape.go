package event

import (
	"fmt"
	"math"

	"cloudcanvas/shared/vision"
)

// Shape is what some models say of an object beside its box, in pixels of the original picture, as COCO's
// results have it.
type Shape struct {
	Corners      []float32   `json:"corners,omitempty"`      // of a turned box: x1, y1 … x4, y4, around it
	Keypoints    []float32   `json:"keypoints,omitempty"`    // of a pose: x, y, how likely it is seen (0 … 1), of each point
	Segmentation [][]float32 `json:"segmentation,omitempty"` // of a mask: x1, y1, x2, y2 … around each of its parts
}

// Bounds of a shape that comes from outside.
const (
	maxKeypoints = 1_024
	maxBorders   = 64
	maxOutline   = 4_096 // points of all parts
)

// ShapeOf is what a model gave beside a box, in hundredths of a pixel; what is no number is left out.
func ShapeOf(b vision.Box) (s Shape) {
	for _, p := range b.Corners {
		s.Corners = append(s.Corners, hundredth(p[0]), hundredth(p[1]))
	}
	for _, p := range b.Keypoints {
		s.Keypoints = append(s.Keypoints, hundredth(p[0]), hundredth(p[1]), float32(math.Round(float64(p[2])*1e4)/1e4))
	}
	for _, part := range b.Outline {
		var flat []float32
		for _, p := range part {
			flat = append(flat, hundredth(p[0]), hundredth(p[1]))
		}
		s.Segmentation = append(s.Segmentation, flat)
	}
	if s.check() != nil {
		return Shape{}
	}
	return s
}

// MostShapeValues bounds the numbers of all shapes in one message, so that a batch or a result stays well
// below what is read of one: those of the weakest boxes are left out.
const MostShapeValues = 400_000

// Values is how many numbers a shape has.
func (s Shape) Values() int {
	n := len(s.Corners) + len(s.Keypoints)
	for _, part := range s.Segmentation {
		n += len(part)
	}
	return n
}

func hundredth(v float32) float32 { return float32(math.Round(float64(v)*100) / 100) }

// check says what is wrong with a shape.
func (s Shape) check() error {
	points := 0
	for _, part := range s.Segmentation {
		if points += len(part) / 2; len(part)%2 != 0 || !WithinPicture(part...) {
			return fmt.Errorf("%w: an outline of %d numbers, or with one that is none", ErrMalformed, len(part))
		}
	}
	switch {
	case len(s.Corners) != 0 && len(s.Corners) != 8 || !WithinPicture(s.Corners...):
		return fmt.Errorf("%w: corners %.9v", ErrMalformed, s.Corners)
	case len(s.Keypoints)%3 != 0 || !WithinPicture(s.Keypoints...):
		return fmt.Errorf("%w: %d numbers of key points, or one that is none", ErrMalformed, len(s.Keypoints))
	case len(s.Keypoints) > 3*maxKeypoints || len(s.Segmentation) > maxBorders || points > maxOutline:
		return fmt.Errorf("%w: %d key points, an outline of %d parts and %d points; %d, %d and %d are the limits", ErrTooLarge,
			len(s.Keypoints)/3, len(s.Segmentation), points, maxKeypoints, maxBorders, maxOutline)
	}
	return nil
}
