package windows

import "cloudcanvas/shared/vision"

// Blend puts overlapping masks of probabilities together, from the top of the scene to its bottom, in memory
// for a strip's width times the height of what is laid over it. Where several know a pixel, their
// probabilities are averaged by weights. docs/decisions/0001-overlapping-windows.md says why, and why the
// weights are as they are.
type Blend struct {
	strip  Window      // of the scene
	ring   int         // rows in hand: row y of the scene lies at y % ring
	sum    [][]float32 // of each class above 0, weighted
	weight []float32   // likewise; 0 where nothing is known
	next   int         // the first row that is not given out yet
}

// NewBlend blends within a strip of the scene; height is that of the highest mask that is laid over it.
func NewBlend(strip Window, height int) *Blend {
	ring := max(1, min(height, strip.H))
	return &Blend{strip: strip, ring: ring, next: strip.Y, weight: make([]float32, ring*strip.W)}
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
	for ty := max(0, b.next-at.Y); ty < min(at.H, b.strip.Y+b.strip.H-at.Y); ty++ {
		if y[ty] == 0 {
			continue
		}
		row := (at.Y+ty)%b.ring*b.strip.W + at.X - b.strip.X
		from := ty * at.W
		for tx := left; tx < right; tx++ {
			if planes[0][from+tx] == vision.NoData {
				continue
			}
			w := y[ty] * x[tx]
			b.weight[row+tx] += w
			for c, plane := range planes {
				b.sum[c][row+tx] += w * float32(plane[from+tx])
			}
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
		out := class[(y-b.next)*width:]
		for x := range width {
			out[x] = b.decide(row + x)
		}
		if probabilities != nil {
			for c, line := range probabilities(y, len(b.sum)) {
				b.round(line, b.sum[c][row:row+width], b.weight[row:row+width])
			}
		}
		clear(b.weight[row : row+width])
		for _, s := range b.sum {
			clear(s[row : row+width])
		}
	}
	b.next = end
	return at, class
}

// decide is the class of one pixel: the one with the largest weighted sum; what is left of certainty is class 0.
func (b *Blend) decide(i int) byte {
	if b.weight[i] == 0 {
		return vision.NoData
	}
	best, top := byte(0), vision.ProbabilityOne*b.weight[i]
	for _, s := range b.sum {
		top -= s[i]
	}
	for c, s := range b.sum {
		if s[i] > top {
			best, top = byte(c+1), s[i]
		}
	}
	return best
}

func (b *Blend) round(line []byte, sum, weight []float32) {
	for x, w := range weight {
		if w == 0 {
			line[x] = vision.NoData
			continue
		}
		line[x] = byte(min(sum[x]/w+0.5, vision.ProbabilityOne))
	}
}
