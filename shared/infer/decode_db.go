package infer

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// lines reads the map of a text detector: how likely each pixel is the inner part of a line of text
// (differentiable binarization, Liao et al. 2020). A connected area over the threshold is a line; its
// smallest slanted rectangle, grown back by what the training shrank it, is the box. Boxes have the
// four corners of the slanted rectangle as Points, clockwise from the top left.
type lines struct {
	spec  model.Output
	views []view
	done  []bool
	open  []int32
	edge  []point
}

const (
	// mostLines is how many areas of one picture are looked at, the largest first.
	mostLines = 1000
	// thinnest is the least short side of a line, in pixels of the network.
	thinnest = 3
)

func (d *lines) decode(out []tensor, i, n int, g geometry, _ *vision.Image) (vision.Output, error) {
	var err error
	if d.views, err = views(d.views, out, i, n); err != nil {
		return vision.Output{}, err
	}
	v := d.views[0]
	if err := want(v, 1, g.h, g.w); err != nil {
		return vision.Output{}, fmt.Errorf("decoder db: %w; does the manifest fit the file?", err)
	}
	var boxes []vision.Box
	for _, hull := range d.areas(v.data, g.w, g.h) {
		r := smallestRect(hull)
		score := meanInside(v.data, g.w, g.h, r)
		if min(r.long, r.short) < thinnest || !(score >= float32(d.spec.ScoreFloor)) {
			continue
		}
		grow := r.long * r.short * d.spec.Unclip / (2 * (r.long + r.short))
		r.long, r.short = r.long+2*grow, r.short+2*grow
		boxes = append(boxes, slanted(r, score, g, d.spec.Labels[0]))
	}
	slices.SortStableFunc(boxes, func(a, b vision.Box) int { return cmp.Compare(b.Score, a.Score) })
	return vision.Output{Boxes: boxes}, nil
}

// areas gives the convex hull of each connected area over the threshold, the largest area first.
func (d *lines) areas(p []float32, w, h int) [][]point {
	limit := float32(d.spec.Threshold)
	d.done = slices.Grow(d.done[:0], w*h)[:w*h]
	clear(d.done)
	type area struct {
		pixels int
		hull   []point
	}
	var found []area
	for start := range w * h {
		if d.done[start] || !(p[start] > limit) {
			continue
		}
		d.done[start] = true
		d.open, d.edge = append(d.open[:0], int32(start)), d.edge[:0]
		pixels := 0
		for len(d.open) > 0 {
			at := int(d.open[len(d.open)-1])
			d.open = d.open[:len(d.open)-1]
			pixels++
			x, y := at%w, at/w
			inner := x > 0 && y > 0 && x+1 < w && y+1 < h
			for dy := max(y-1, 0); dy <= min(y+1, h-1); dy++ {
				for dx := max(x-1, 0); dx <= min(x+1, w-1); dx++ {
					next := dy*w + dx
					if !(p[next] > limit) {
						inner = false
					} else if !d.done[next] {
						d.done[next] = true
						d.open = append(d.open, int32(next))
					}
				}
			}
			if !inner { // only the rim matters for the hull
				d.edge = append(d.edge, point{float64(x), float64(y)})
			}
		}
		if pixels >= thinnest*thinnest {
			found = append(found, area{pixels, convexHull(d.edge)})
		}
	}
	slices.SortStableFunc(found, func(a, b area) int { return cmp.Compare(b.pixels, a.pixels) })
	hulls := make([][]point, min(len(found), mostLines))
	for i := range hulls {
		hulls[i] = found[i].hull
	}
	return hulls
}

// meanInside is the mean of the map over the pixels of a slanted rectangle.
func meanInside(p []float32, w, h int, r rect) float32 {
	reach := (math.Abs(r.long) + math.Abs(r.short)) / 2
	sum, n := float32(0), 0
	for y := max(0, int(r.y-reach)); y <= min(h-1, int(r.y+reach)); y++ {
		for x := max(0, int(r.x-reach)); x <= min(w-1, int(r.x+reach)); x++ {
			u, v := r.turn(float64(x)-r.x, float64(y)-r.y)
			if math.Abs(u) <= r.long/2+1e-6 && math.Abs(v) <= r.short/2+1e-6 {
				sum += p[y*w+x]
				n++
			}
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float32(n)
}

// slanted is a rectangle as a box of the picture, cut at its border.
func slanted(r rect, score float32, g geometry, label string) vision.Box {
	b := vision.Box{Score: min(score, 1), Label: label, Points: make([][2]float32, 4)}
	x0, y0, x1, y1 := float32(math.Inf(1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Inf(-1))
	for i, c := range r.corners() {
		// The map's value at (x, y) is that of a pixel's centre.
		x := max(0, min(g.x(float32(c.x)+0.5), float32(g.iw)))
		y := max(0, min(g.y(float32(c.y)+0.5), float32(g.ih)))
		b.Points[i] = [2]float32{x, y}
		x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
	}
	b.X, b.Y, b.W, b.H = x0, y0, x1-x0, y1-y0
	return b
}
