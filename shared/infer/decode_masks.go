package infer

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/vision"
)

// masks are a picture's prototypes, of which each object's mask is a weighted sum (YOLACT, Bolya et al. 2019).
type masks struct {
	proto   []float32
	n, h, w int
	g       geometry
	field   []float32 // the sum at the prototypes' places
	inside  []bool    // of the network's pixels in a box
}

// Bounds of what is kept of one object's mask.
const (
	mostParts  = 16
	mostPoints = 512
)

func newMasks(v []view, coefficients int, g geometry) (*masks, error) {
	if len(v) != 2 || len(v[1].shape) != 3 || v[1].shape[0] != coefficients {
		return nil, fmt.Errorf("masks need a second output, of %d maps; name both with output.tensors", coefficients)
	}
	m := &masks{proto: v[1].data, n: coefficients, h: v[1].shape[1], w: v[1].shape[2], g: g}
	if m.h < 1 || m.w < 1 || m.h > g.h || m.w > g.w || len(m.proto) < m.n*m.h*m.w {
		return nil, fmt.Errorf("output %s is %v without the batch, for an input of %d x %d pixels", v[1].name, v[1].shape, g.w, g.h)
	}
	return m, nil
}

// outline is the border of an object's mask inside its box, in pixels of the picture: the outer border of each
// of its parts, the largest first. Holes are left out.
func (m *masks) outline(t table, row, first int, box vision.Box) [][][2]float32 {
	x0, x1 := m.span(float64(box.X)*m.g.sx+float64(m.g.px), float64(box.W)*m.g.sx, m.g.w)
	y0, y1 := m.span(float64(box.Y)*m.g.sy+float64(m.g.py), float64(box.H)*m.g.sy, m.g.h)
	if x0 >= x1 || y0 >= y1 {
		return nil
	}
	m.sum(t, row, first)
	w, h := x1-x0, y1-y0
	m.inside = slices.Grow(m.inside[:0], w*h)[:w*h]
	for y := range h {
		v, fy := between(y0+y, m.g.h, m.h)
		for x := range w {
			u, fx := between(x0+x, m.g.w, m.w)
			right, below := min(u+1, m.w-1)-u, (min(v+1, m.h-1)-v)*m.w
			at := m.field[v*m.w+u:]
			value := (at[0]*(1-fx)+at[right]*fx)*(1-fy) + (at[below]*(1-fx)+at[below+right]*fx)*fy
			m.inside[y*w+x] = value > 0
		}
	}
	loops := borders(m.inside, w, h)
	slices.SortStableFunc(loops, func(a, b []point) int { return cmp.Compare(area(b), area(a)) })
	loops = loops[:min(len(loops), mostParts)]
	for tolerance := 0.75; ; tolerance *= 2 {
		points, parts := 0, make([][][2]float32, 0, len(loops))
		for _, l := range loops {
			part := make([][2]float32, 0, 16)
			for _, p := range thinned(l, tolerance) {
				part = append(part, [2]float32{m.g.x(float32(p.x + float64(x0))), m.g.y(float32(p.y + float64(y0)))})
			}
			if points += len(part); len(part) >= 3 {
				parts = append(parts, part)
			}
		}
		if points <= mostPoints {
			return parts
		}
	}
}

// span are the pixels whose places lie in a side of a box, cut at the network's input.
func (m *masks) span(from, length float64, most int) (first, end int) {
	limit := func(v float64) int { return int(max(0, min(math.Ceil(v), float64(most)))) }
	return limit(from), limit(from + length)
}

// sum is the object's mask at the prototypes' places.
func (m *masks) sum(t table, row, first int) {
	size := m.h * m.w
	m.field = slices.Grow(m.field[:0], size)[:size]
	clear(m.field)
	for k := range m.n {
		weight := t.at(row, first+k)
		for i, v := range m.proto[k*size : (k+1)*size] {
			m.field[i] += weight * v
		}
	}
}

// between says between which of n places a pixel of most lies, and how far from the first, as linear
// interpolation does that looks at the middles of pixels.
func between(pixel, most, n int) (at int, share float32) {
	v := max(0, (float64(pixel)+0.5)*float64(n)/float64(most)-0.5)
	at = min(int(v), n-1)
	return at, float32(v - float64(at))
}
