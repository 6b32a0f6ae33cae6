package worker

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/vision"
)

// cropOf is what a step sees of a finding; where that lies in the picture is noted.
func (s *laterStep) cropOf(im *vision.Image, f *Finding) (vision.Image, error) {
	needs := s.needs()
	slanted := f.Box != nil && len(f.Box.Points) == 4
	margin := defaultMargin
	switch {
	case s.Margin != nil:
		margin = *s.Margin
	case slanted && needs.Gives == GivesWords:
		margin = 0 // a text detector's boxes are already wider than the line
	}
	w, err := windowOf(f.around(), margin, im.W, im.H)
	if err != nil {
		return vision.Image{}, err
	}
	f.window = w
	if slanted && needs.Gives != GivesBoxes {
		return straighten(im, [4][2]float32(f.Box.Points), margin)
	}
	c := crop(im, w)
	if len(needs.Bands) == 0 && c.Pix == nil {
		c = picture(&c, s.White)
	}
	return c, nil
}

// looked puts what a step saw on the finding. Boxes are moved from the crop into the picture.
func (t target) looked(n int, s *laterStep, m *Model, out *vision.Output) {
	if !numbers(out) {
		t.fails(n, fmt.Errorf("%s version %s gave a score that is no number", m.Name, m.Needs.Version))
		return
	}
	l := Look{Step: n, Model: m.Name, Version: m.Needs.Version, Window: t.finding.window}
	switch s.needs().Gives {
	case GivesBoxes:
		for _, b := range out.Boxes {
			b.X, b.Y = b.X+float32(l.Window.X), b.Y+float32(l.Window.Y)
			l.Boxes = append(l.Boxes, b)
		}
		if best, ok := closest(l.Boxes, t.finding); ok {
			l.Label, l.Score = best.Label, best.Score
		}
	case GivesWords:
		if len(out.Classes) > 0 {
			l.Text, l.Score = out.Classes[0].Label, out.Classes[0].Score
		}
	default:
		if l.Classes = out.Classes; len(l.Classes) > 0 {
			l.Label, l.Score = l.Classes[0].Label, l.Classes[0].Score
		}
	}
	l.Accepted = float64(l.Score) >= s.Accept
	t.finding.Looks = append(t.finding.Looks, l)
}

// numbers: JSON knows no others.
func numbers(out *vision.Output) bool {
	no := func(v float32) bool { return v != v || v > math.MaxFloat32 || v < -math.MaxFloat32 }
	return !slices.ContainsFunc(out.Classes, func(c vision.Class) bool { return no(c.Score) }) &&
		!slices.ContainsFunc(out.Boxes, func(b vision.Box) bool { return no(b.X) || no(b.Y) || no(b.W) || no(b.H) || no(b.Score) })
}

// sameThing is the overlap from which a box is taken to be about the same thing as the finding.
const sameThing = 0.3

// closest is the best box about the same thing, one of the finding's own label before any other.
func closest(boxes []vision.Box, f *Finding) (vision.Box, bool) {
	about := f.around()
	var near []vision.Box
	for _, b := range boxes {
		if vision.IoU(about, b) >= sameThing {
			near = append(near, b)
		}
	}
	if len(near) == 0 {
		return vision.Box{}, false
	}
	own := func(b vision.Box) int {
		if b.Label == f.label() {
			return 1
		}
		return 0
	}
	return slices.MaxFunc(near, func(a, b vision.Box) int {
		return cmp.Or(cmp.Compare(own(a), own(b)), cmp.Compare(a.Score, b.Score))
	}), true
}
