package windows

import (
	"bytes"

	"cloudcanvas/shared/vision"
)

// Blend puts overlapping masks of probabilities together, from the top of the scene to its bottom, in memory
// for a strip's width times the height of what is laid over it. Where several know a pixel, their
// probabilities are averaged by weights. docs/decisions/0001-overlapping-windows.md says why, and why the
// weights are as they are.
type Blend struct {
	strip  Window      // of the scene
	ring   int         // rows in hand: row y of the scene lies at y % ring
	sum    [][]float32 // of each class above 0, weighted
	weight []float32   // likewise; 0 where nothing is known
	unseen []bool      // likewise; a mask came of which nobody judged this pixel
	next   int         // the first row that is not given out yet
}

// NewBlend blends within a strip of the scene; height is that of the highest mask that is laid over it.
func NewBlend(strip Window, height int) *Blend {
	ring := max(1, min(height, strip.H))
	return &Blend{strip: strip, ring: ring, next: strip.Y, weight: make([]float32, ring*strip.W), unseen: make([]bool, ring*strip.W)}
}

// Ramps are the weights of n samples: even ramps of that length at both ends, and one between. Two
// windows that share a ramp add up to one; no weight is zero, so a window alone decides its outermost pixels.
// What two windows disagree by is stepped over along the ramp, and an even one is nowhere steep. So the
// weights of windows in a row add up to Ramps of the whole row.
func Ramps(n, ramp int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = 1
	}
	for i := range ramp {
		w[i] = (float32(i) + 0.5) / float32(ramp)
		w[n-1-i] = w[i]
	}
	return w
}

// Next is the first row that is not given out yet.
func (b *Blend) Next() int { return b.next }

// Add lays a mask over the rows in hand: planes of probabilities at a place of the scene, of which none of
// the rows may lie above Next. x and y are the weights of its columns and rows.
func (b *Blend) Add(at Window, x, y []float32, planes [][]byte) {
	for len(b.sum) < len(planes) {
		b.sum = append(b.sum, make([]float32, len(b.weight)))
	}
	left, right := max(0, b.strip.X-at.X), min(at.W, b.strip.X+b.strip.W-at.X)
	if left >= right {
		return
	}
	x = x[left:right]
	for ty := max(0, b.next-at.Y); ty < min(at.H, b.strip.Y+b.strip.H-at.Y); ty++ {
		if y[ty] == 0 {
			continue
		}
		row := (at.Y+ty)%b.ring*b.strip.W + at.X - b.strip.X + left
		from := ty*at.W + left
		known := planes[0][from:][:len(x)]
		if bytes.IndexByte(known, vision.NoData) >= 0 {
			b.noteUnseen(known, planes, from, row)
		}
		addWeighted(b.weight[row:], nil, known, x, y[ty])
		for c, plane := range planes {
			addWeighted(b.sum[c][row:], plane[from:], known, x, y[ty])
		}
	}
}

// noteUnseen notes which pixels of a row nobody judged.
func (b *Blend) noteUnseen(known []byte, planes [][]byte, from, row int) {
	for i, p := range known {
		if p == vision.NoData && len(planes) > 1 && planes[1][from+i] == vision.NotJudged {
			b.unseen[row+i] = true
		}
	}
}

// addWeighted adds values (nil: ones), each by its column's weight and that of the row, where there are any.
func addWeighted(to []float32, values, known []byte, x []float32, y float32) {
	to, known = to[:len(x)], known[:len(x)]
	if values == nil {
		for i, w := range x {
			if known[i] != vision.NoData {
				to[i] += y * w
			}
		}
		return
	}
	values = values[:len(x)]
	for i, w := range x {
		if known[i] != vision.NoData {
			to[i] += y * w * float32(values[i])
		}
	}
}

// Take gives out the rows above end, as classes, and makes their place free. probabilities, where they are
// not nil, are given the same rows in 1/254, as many planes as are known.
func (b *Blend) Take(end int, probabilities func(row int, planes int) [][]byte) (at Window, class []byte) {
	width := b.strip.W
	at = Window{X: b.strip.X, Y: b.next, W: width, H: end - b.next}
	class = make([]byte, at.W*at.H)
	for y := b.next; y < end; y++ {
		row := y % b.ring * width
		b.decide(class[(y-b.next)*width:][:width], row)
		if probabilities != nil {
			for c, line := range probabilities(y, len(b.sum)) {
				b.round(line, b.sum[c][row:row+width], b.weight[row:row+width])
			}
		}
		clear(b.weight[row : row+width])
		clear(b.unseen[row : row+width])
		for _, s := range b.sum {
			clear(s[row : row+width])
		}
	}
	b.next = end
	return at, class
}

// decide gives the classes of a row: the one with the largest weighted sum; what is left of certainty is class 0.
func (b *Blend) decide(out []byte, row int) {
	weight := b.weight[row:][:len(out)]
	if len(b.sum) == 2 { // as nearly always: clear, shadow and cloud
		one, two := b.sum[0][row:][:len(out)], b.sum[1][row:][:len(out)]
		for x, w := range weight {
			s, t := one[x], two[x]
			best, top := byte(0), vision.ProbabilityOne*w-s-t
			if s > top {
				best, top = 1, s
			}
			if t > top {
				best = 2
			}
			out[x] = best
			if w == 0 {
				out[x] = b.unknown(row + x)
			}
		}
		return
	}
	for x, w := range weight {
		if w == 0 {
			out[x] = b.unknown(row + x)
			continue
		}
		best, top := byte(0), vision.ProbabilityOne*w
		for _, s := range b.sum {
			top -= s[row+x]
		}
		for c, s := range b.sum {
			if s[row+x] > top {
				best, top = byte(c+1), s[row+x]
			}
		}
		out[x] = best
	}
}

// unknown is what a pixel is of which nothing is known.
func (b *Blend) unknown(i int) byte {
	if b.unseen[i] {
		return vision.NotJudged
	}
	return vision.NoData
}

func (b *Blend) round(line []byte, sum, weight []float32) {
	line, sum = line[:len(weight)], sum[:len(weight)]
	for x, w := range weight {
		switch s := sum[x]; w {
		case 0:
			line[x] = vision.NoData
		case 1: // one window alone knows it
			line[x] = byte(min(int32(s+0.5), vision.ProbabilityOne))
		default:
			line[x] = byte(min(int32(s/w+0.5), vision.ProbabilityOne))
		}
	}
}
