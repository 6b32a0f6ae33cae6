package infer

import (
	"math"

	"cloudcanvas/shared/vision"
)

// antialiased is a picture, or the middle of it, at the size at which it lies in the network's input, with the
// values of PIL's bilinear resizing: each pixel of a smaller picture is a weighted mean of all that it covers.
func antialiased(im *vision.Image, g geometry) vision.Image {
	across := weigh(im.W, g.sx, max(-g.px, 0), g.rw)
	down := weigh(im.H, g.sy, max(-g.py, 0), g.rh)
	first, last := im.H, 0 // rows that are looked at
	for _, d := range down {
		first, last = min(first, d.from), max(last, d.from+len(d.by))
	}
	rows := make([]byte, max(last-first, 0)*g.rw*3)
	for y := first; y < last; y++ {
		from, to := im.Pix[y*im.W*3:(y+1)*im.W*3], rows[(y-first)*g.rw*3:]
		for x, a := range across {
			mixed(to[3*x:], from[3*a.from:], 3, a.by)
		}
	}
	out := vision.Image{W: g.rw, H: g.rh, Pix: make([]byte, g.rw*g.rh*3)}
	for y, d := range down {
		for x := range g.rw {
			mixed(out.Pix[(y*g.rw+x)*3:], rows[((d.from-first)*g.rw+x)*3:], g.rw*3, d.by)
		}
	}
	return out
}

// fraction is how many parts of one PIL computes weights in.
const fraction = 22

// mixed is the weighted mean of pixels that lie step bytes apart.
func mixed(to, from []byte, step int, by []int32) {
	b, g, r := int32(1)<<(fraction-1), int32(1)<<(fraction-1), int32(1)<<(fraction-1)
	for i, w := range by {
		p := from[i*step : i*step+3]
		b, g, r = b+w*int32(p[0]), g+w*int32(p[1]), r+w*int32(p[2])
	}
	to[0], to[1], to[2] = byte(b>>fraction), byte(g>>fraction), byte(r>>fraction)
}

// weights are those of the pixels from one on that make a pixel of another size.
type weights struct {
	from int
	by   []int32
}

// weigh gives the weights for n pixels from first on of a side that is scaled from so many.
func weigh(side int, scale float64, first, n int) []weights {
	step := 1 / scale
	reach := max(step, 1)
	all := make([]weights, n)
	values := make([]float64, 0, 16)
	for i := range all {
		centre := (float64(first+i) + 0.5) * step
		from := max(0, int(centre-reach+0.5))
		end := min(side, int(centre+reach+0.5))
		sum := 0.0
		values = values[:0]
		for k := from; k < end; k++ {
			v := max(0, 1-math.Abs((float64(k)-centre+0.5)/reach))
			values, sum = append(values, v), sum+v
		}
		all[i] = weights{from, make([]int32, len(values))}
		for k, v := range values {
			if sum > 0 {
				v /= sum
			}
			all[i].by[k] = int32(math.Round(v * (1 << fraction)))
		}
	}
	return all
}
