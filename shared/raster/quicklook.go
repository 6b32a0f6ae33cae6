package raster

import "cloudcanvas/shared/vision"

// Quicklook gathers a small colour picture of a scene while its tiles pass: each of its pixels is
// the mean of the scene's pixels that fall on it. It is used by one goroutine.
type Quicklook struct {
	W, H  int
	step  int          // scene pixels a quicklook pixel, each way
	sum   [3][]float32 // blue, green, red
	count []uint32
}

// NewQuicklook is for a scene of that size; the picture's longer side is at most side pixels.
func NewQuicklook(width, height, side int) *Quicklook {
	step := max(1, (max(width, height)+side-1)/side)
	q := &Quicklook{W: (width + step - 1) / step, H: (height + step - 1) / step, step: step}
	for c := range q.sum {
		q.sum[c] = make([]float32, q.W*q.H)
	}
	q.count = make([]uint32, q.W*q.H)
	return q
}

// Add takes in a tile's core. im is what the tile holds; its blue, green and red are used, or its
// first band as gray where one of them is missing.
func (q *Quicklook) Add(t Tile, im vision.Image) {
	if len(im.Planes) == 0 {
		return
	}
	planes := [3][]float32{im.Plane("blue"), im.Plane("green"), im.Plane("red")}
	if planes[0] == nil || planes[1] == nil || planes[2] == nil {
		planes = [3][]float32{im.Planes[0], im.Planes[0], im.Planes[0]}
	}
	for y := t.Core.Y; y < t.Core.Y+t.Core.H; y++ {
		from, to := (y-t.Held.Y)*im.W-t.Held.X, y/q.step*q.W
		for x := t.Core.X; x < t.Core.X+t.Core.W; x++ {
			i, o := from+x, to+x/q.step
			if im.Void != nil && im.Void[i] != 0 {
				continue
			}
			for c := range planes {
				q.sum[c][o] += planes[c][i]
			}
			q.count[o]++
		}
	}
}

// Image is the picture so far, in 8-bit blue, green, red, each stretched from its own 2nd to 98th
// percentile, which looks natural to people; void marks pixels that nothing fell on, which are black.
func (q *Quicklook) Image() vision.Image {
	im := vision.Image{W: q.W, H: q.H, Pix: make([]byte, q.W*q.H*3), Void: make([]byte, q.W*q.H)}
	var seen [3][]float32
	for i, n := range q.count {
		if n == 0 {
			im.Void[i] = 1
			continue
		}
		if i%7 == 0 || len(q.count) < 1<<16 { // a sample is enough for percentiles
			for c := range q.sum {
				seen[c] = append(seen[c], q.sum[c][i]/float32(n))
			}
		}
	}
	if len(seen[0]) == 0 {
		return im
	}
	for c := range q.sum { // each by itself: blue is brightened by the air, and by its scale in some products
		show := stretched(seen[c])
		for i, n := range q.count {
			if n > 0 {
				im.Pix[i*3+c] = show.byteOf(q.sum[c][i] / float32(n))
			}
		}
	}
	im.Void = trim(im.Void)
	return im
}
