package simulate

import "math"

// octave is gradient noise of one wavelength in pixels: smooth, around 0, without end. (Perlin,
// Improving Noise, SIGGRAPH 2002; gradients are hashed, so that any window can be made alone.)
type octave struct {
	seed       uint64
	wavelength float64
	weight     float32
}

// fractal is octaves from a wavelength down, each half as long and gain times as strong as the one
// before, together of standard deviation 1 or so.
func fractal(seed uint64, longest, shortest float64, gain float32) []octave {
	var all []octave
	var power float32
	weight := float32(1)
	for length := longest; length >= shortest; length /= 2 {
		all = append(all, octave{seed: mix(seed + uint64(len(all)+1)*0x9e3779b97f4a7c15), wavelength: length, weight: weight})
		power += weight * weight
		weight *= gain
	}
	// One octave's values have a standard deviation of 0.25, seen over a million points.
	scale := 4 / float32(math.Sqrt(float64(power)))
	for i := range all {
		all[i].weight *= scale
	}
	return all
}

// row adds the noise of a row of pixels, from column x0, to out.
func (o octave) row(out []float32, x0, y int) {
	inverse := 1 / o.wavelength
	gy := float64(y) * inverse
	cellY := math.Floor(gy)
	fy := float32(gy - cellY)
	v := fade(fy)
	iy := int64(cellY)
	step := float32(inverse)
	gx := float64(x0) * inverse
	cell := int64(math.Floor(gx))
	fx := float32(gx - math.Floor(gx))
	a0, a1 := o.edge(cell, iy, fy, v)
	b0, b1 := o.edge(cell+1, iy, fy, v)
	for i := range out {
		for fx >= 1 {
			fx--
			cell++
			a0, a1 = b0, b1
			b0, b1 = o.edge(cell+1, iy, fy, v)
		}
		a, b := a0+a1*fx, b0+b1*(fx-1)
		out[i] += o.weight * (a + fade(fx)*(b-a))
		fx += step
	}
}

// edge is, along a row, what a column of the lattice gives: value and slope by distance from it.
func (o octave) edge(ix, iy int64, fy, v float32) (value, slope float32) {
	ax, ay := o.gradient(ix, iy)
	bx, by := o.gradient(ix, iy+1)
	return (1-v)*ay*fy + v*by*(fy-1), (1-v)*ax + v*bx
}

func (o octave) gradient(ix, iy int64) (x, y float32) {
	h := mix(o.seed ^ uint64(ix)*0x9e3779b97f4a7c15 ^ uint64(iy)*0xc2b2ae3d27d4eb4f)
	return float32(int32(h)) / (1 << 31), float32(int32(h>>32)) / (1 << 31)
}

func fade(t float32) float32 { return t * t * t * (t*(t*6-15) + 10) }

// mix scatters bits (the finalizer of SplitMix64, Steele et al. 2014).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// fill sets out to the sum of octaves over a window's rows.
func fill(out []float32, octaves []octave, x, y, w, h int) {
	clear(out)
	for r := range h {
		row := out[r*w : (r+1)*w]
		for _, o := range octaves {
			o.row(row, x, y+r)
		}
	}
}
