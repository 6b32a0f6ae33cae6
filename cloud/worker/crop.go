package worker

import (
	"errors"
	"fmt"
	"math"

	"cloudcanvas/shared/vision"
)

// Window is a rectangle of whole pixels of a picture.
type Window struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

var errOutside = errors.New("nothing of the box lies in the picture")

// windowOf is a box of a picture of w x h, grown by margin times its sides on each side, and cut at the picture's border.
func windowOf(b vision.Box, margin float64, w, h int) (Window, error) {
	mx, my := float64(b.W)*margin, float64(b.H)*margin
	x0, x1, okX := within(float64(b.X)-mx, float64(b.X)+float64(b.W)+mx, w)
	y0, y1, okY := within(float64(b.Y)-my, float64(b.Y)+float64(b.H)+my, h)
	if !okX || !okY {
		return Window{}, errOutside
	}
	return Window{x0, y0, x1 - x0, y1 - y0}, nil
}

// within rounds a span outward to whole pixels of a side. NaN is nowhere.
func within(from, to float64, side int) (a, b int, ok bool) {
	from, to = math.Max(math.Floor(from), 0), math.Min(math.Ceil(to), float64(side))
	if !(from < to) {
		return 0, 0, false
	}
	return int(from), int(to), true
}

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

// crop copies a window of a picture, of all its bands.
func crop(im *vision.Image, w Window) vision.Image {
	out := vision.Image{W: w.W, H: w.H, Bands: im.Bands}
	if im.Pix != nil {
		out.Pix = cut(im.Pix, im.W, w, 3)
	}
	for _, p := range im.Planes {
		out.Planes = append(out.Planes, cut(p, im.W, w, 1))
	}
	if im.Void != nil {
		out.Void = cut(im.Void, im.W, w, 1)
	}
	return out
}

func cut[T any](from []T, width int, w Window, each int) []T {
	to := make([]T, 0, w.W*w.H*each)
	for y := w.Y; y < w.Y+w.H; y++ {
		row := from[(y*width+w.X)*each:]
		to = append(to, row[:w.W*each]...)
	}
	return to
}

// picture makes of bands what a network for pictures takes: reflectance white and above is 255.
func picture(im *vision.Image, white float64) vision.Image {
	out := vision.Image{W: im.W, H: im.H, Pix: make([]byte, im.W*im.H*len(visible))}
	for c, band := range visible {
		for i, v := range im.Plane(band) {
			out.Pix[i*len(visible)+c] = byte(255*min(max(float64(v)/white, 0), 1) + 0.5)
		}
	}
	return out
}

// longestSide bounds a straightened crop.
const longestSide = 8192

// straighten lays a slanted box of text out upright: its four corners, clockwise from the top left,
// become the corners of a picture, by bilinear samples. Lines that stand on end are turned, as they
// are read from bottom to top (PaddleOCR's get_rotate_crop_image).
func straighten(im *vision.Image, corners [4][2]float32, margin float64) (vision.Image, error) {
	var p [4][2]float64
	var cx, cy float64
	for i, c := range corners {
		p[i] = [2]float64{float64(c[0]), float64(c[1])}
		cx, cy = cx+p[i][0]/4, cy+p[i][1]/4
	}
	for i := range p {
		p[i][0] += (p[i][0] - cx) * 2 * margin
		p[i][1] += (p[i][1] - cy) * 2 * margin
	}
	length := func(a, b [2]float64) float64 { return math.Hypot(a[0]-b[0], a[1]-b[1]) }
	w := math.Max(length(p[0], p[1]), length(p[3], p[2]))
	h := math.Max(length(p[0], p[3]), length(p[1], p[2]))
	if h > 1.5*w {
		p = [4][2]float64{p[1], p[2], p[3], p[0]}
		w, h = h, w
	}
	if im.Pix == nil || !(w >= 1 && h >= 1 && w <= longestSide && h <= longestSide) {
		return vision.Image{}, fmt.Errorf("a text box of %.0f x %.0f pixels can't be straightened", w, h)
	}
	out := vision.Image{W: int(math.Round(w)), H: int(math.Round(h))}
	out.Pix = make([]byte, out.W*out.H*3)
	for y := range out.H {
		v := (float64(y) + 0.5) / float64(out.H)
		for x := range out.W {
			u := (float64(x) + 0.5) / float64(out.W)
			at := func(k int) float64 {
				return (1-v)*((1-u)*p[0][k]+u*p[1][k]) + v*((1-u)*p[3][k]+u*p[2][k]) - 0.5
			}
			sample(im, at(0), at(1), out.Pix[(y*out.W+x)*3:])
		}
	}
	return out, nil
}

// sample blends the four pixels around a place; beyond the border the outermost pixel goes on.
func sample(im *vision.Image, x, y float64, to []byte) {
	x, y = min(max(x, 0), float64(im.W-1)), min(max(y, 0), float64(im.H-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, im.W-1), min(y0+1, im.H-1)
	fx, fy := x-float64(x0), y-float64(y0)
	for c := range 3 {
		px := func(x, y int) float64 { return float64(im.Pix[(y*im.W+x)*3+c]) }
		v := (1-fy)*((1-fx)*px(x0, y0)+fx*px(x1, y0)) + fy*((1-fx)*px(x0, y1)+fx*px(x1, y1))
		to[c] = byte(v + 0.5)
	}
}
