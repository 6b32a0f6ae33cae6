package linktile

import "math"

// fitPoints is how many places of a band its predictor is fitted to: with some 25 weights the error of a fit to
// 4,000 costs 0.3 % of the variance, and fitting takes less than a fifth of the time of coding a tile of 488.
const fitPoints = 4096

// fitter finds the predictors of a tile's bands. It works with fractions, which may differ in their last place
// between processors: what it finds is sent, rounded.
type fitter struct {
	w, h   int
	planes []plane
	at     []int // places, none at the rim
	x      [][taps]float64
	y      []float64
	errs   []float64
}

// places picks points that are not skipped.
func (f *fitter) places(from []uint8) {
	f.at = f.at[:0]
	if f.w < 6 || f.h < 6 {
		return
	}
	rng := uint64(1)
	inner := (f.w - 4) * (f.h - 4)
	step := max(inner/fitPoints, 16)
	for i := 0; i < inner; i += step {
		rng = rng*6364136223846793005 + 1442695040888963407
		k := i*4%inner + i*4/inner*step + int(rng>>33)%step // four times over the tile, so that the first quarter is of all of it
		k = min(k, inner-1)
		at := (3+k/(f.w-4))*f.w + 2 + k%(f.w-4)
		if k/(f.w-4)+3 < f.h-1 && (from == nil || from[at]|from[at-1]|from[at+1]|from[at-2]|from[at-f.w]|from[at+f.w]|from[at-2*f.w] == coded) {
			f.at = append(f.at, at)
		}
	}
}

func (p plane) at(i int) float64 {
	if p.signed {
		return float64(int16(p.pix[i]))
	}
	return float64(p.pix[i])
}

// references picks for each band the bands before it whose fine structure is most like its own.
func (f *fitter) references() (first, second []int) {
	n := len(f.planes)
	fine := make([][]float64, n)
	for b, p := range f.planes {
		fine[b] = make([]float64, len(f.at))
		var norm float64
		for i, at := range f.at {
			v := p.at(at) - (p.at(at-1)+p.at(at-f.w)+p.at(at+1)+p.at(at+f.w))/4
			fine[b][i] = v
			norm += v * v
		}
		norm = 1 / math.Sqrt(max(norm, 1))
		for i := range fine[b] {
			fine[b][i] *= norm
		}
	}
	first, second = make([]int, n), make([]int, n)
	for b := range n {
		first[b], second[b] = -1, -1
		var best, next float64
		for r := range b {
			var c float64
			for i, v := range fine[r] {
				c += v * fine[b][i]
			}
			switch c = math.Abs(c); {
			case c > best || first[b] < 0:
				first[b], second[b], best, next = r, first[b], c, best
			case c > next || second[b] < 0:
				second[b], next = r, c
			}
		}
	}
	return first, second
}

// gather gives the neighbours of a place, in the order of the weights.
func (f *fitter) gather(x *[taps]float64, b, first, second, at int) {
	p, w := f.planes[b], f.w
	for i, d := range [tapsOwn]int{-1, -2, -2*w - 1, -2 * w, -2*w + 1, -w - 2, -w - 1, -w, -w + 1, -w + 2} {
		x[i] = p.at(at + d)
	}
	if first >= 0 {
		p = f.planes[first]
		for i, d := range [tapsFirst]int{-w - 1, -w, -w + 1, -1, 0, 1, w - 1, w, w + 1} {
			x[tapsOwn+i] = p.at(at + d)
		}
	}
	if second >= 0 {
		p = f.planes[second]
		for i, d := range [tapsSecond]int{-w, -1, 0, 1, w} {
			x[tapsOwn+tapsFirst+i] = p.at(at + d)
		}
	}
}

// fit finds the predictor of a band.
func (f *fitter) fit(b, first, second int, step int32) predictor {
	p := predictor{first: first, second: second}
	n := taps
	if second < 0 {
		n -= tapsSecond
	}
	if first < 0 {
		n -= tapsFirst
	}
	start := make([]float64, n) // where there is too little to learn from
	start[0], start[7], start[6] = 0.75, 0.75, -0.5
	weight, mean, meanY := start, make([]float64, n), 0.0
	m := len(f.at)
	if cap(f.x) < m {
		f.x, f.y, f.errs = make([][taps]float64, m), make([]float64, m), make([]float64, m)
	}
	f.x, f.y, f.errs = f.x[:m], f.y[:m], f.errs[:m]
	for i, at := range f.at {
		f.gather(&f.x[i], b, first, second, at)
		f.y[i] = f.planes[b].at(at)
		f.errs[i] = 1
	}
	for round := 0; round < 3 && m > 0; round++ {
		some := m // the first round only shows how large the residuals are
		if round == 0 {
			some = min(max(m/4, 256), m)
		}
		w, mx, my, ok := solve(f.x[:some], f.y[:some], f.errs[:some], start)
		if !ok {
			break
		}
		weight, mean, meanY = w, mx, my
		var sum float64
		for i := range f.errs { // towards the least sum of logarithms, which is what residuals cost, instead of squares
			e := f.y[i] - meanY
			for k, w := range weight {
				e -= w * (f.x[i][k] - mean[k])
			}
			f.errs[i] = math.Abs(e)
			sum += f.errs[i]
		}
		floor := sum/float64(m)/2 + 0.5
		for i, e := range f.errs {
			f.errs[i] = 1 / (e*e + 4*floor*floor)
		}
	}
	offset := meanY
	for k, w := range weight {
		p.weight[k] = int32(math.Round(min(max(w, -7.9), 7.9) * (1 << weightBits)))
		offset -= float64(p.weight[k]) / (1 << weightBits) * mean[k]
	}
	p.offset = int64(math.Round(min(max(offset, -1e6), 1e6) * (1 << weightBits)))
	if b < len(f.planes) && len(f.planes[b].pix) > 0 {
		p.start = int32(f.planes[b].at(0))
	}
	f.fitSizes(&p, b, weight, mean, meanY, step)
	return p
}

// solve finds the weights of least squares, drawn a little towards start.
func solve(x [][taps]float64, y, by []float64, start []float64) (weight, mean []float64, meanY float64, ok bool) {
	n := len(start)
	mean = make([]float64, n)
	var total float64
	for i := range x {
		total += by[i]
		meanY += by[i] * y[i]
		for k := range mean {
			mean[k] += by[i] * x[i][k]
		}
	}
	meanY /= total
	for k := range mean {
		mean[k] /= total
	}
	a, rhs := make([]float64, n*n), make([]float64, n)
	const together = 4 // points at a time, so that the sums are loaded and stored less often
	var d, v [together][taps]float64
	for i := 0; i+together <= len(x); i += together {
		var dy [together]float64
		for p := range d {
			dy[p] = y[i+p] - meanY
			for k, m := range mean {
				d[p][k] = x[i+p][k] - m
				v[p][k] = d[p][k] * by[i+p]
				dy[p] -= start[k] * d[p][k]
			}
		}
		for k := range n {
			v0, v1, v2, v3 := v[0][k], v[1][k], v[2][k], v[3][k]
			rhs[k] += v0*dy[0] + v1*dy[1] + v2*dy[2] + v3*dy[3]
			row := a[k*n : k*n+k+1]
			d0, d1, d2, d3 := d[0][:len(row)], d[1][:len(row)], d[2][:len(row)], d[3][:len(row)]
			for j := range row {
				row[j] += v0*d0[j] + v1*d1[j] + v2*d2[j] + v3*d3[j]
			}
		}
	}
	for k := range n {
		a[k*n+k] = a[k*n+k]*(1+1e-6) + total*0.5
	}
	rhs, ok = cholesky(a, rhs)
	for k := range rhs {
		rhs[k] += start[k]
	}
	return rhs, mean, meanY, ok
}

// cholesky solves a x = b in place, of a the lower half.
func cholesky(a, b []float64) ([]float64, bool) {
	n := len(b)
	for i := range n {
		for j := 0; j <= i; j++ {
			sum := a[i*n+j]
			for k := range j {
				sum -= a[i*n+k] * a[j*n+k]
			}
			if i == j {
				if !(sum > 0) {
					return b, false
				}
				a[i*n+i] = math.Sqrt(sum)
			} else {
				a[i*n+j] = sum / a[j*n+j]
			}
		}
	}
	for i := range n {
		for k := range i {
			b[i] -= a[i*n+k] * b[k]
		}
		b[i] /= a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			b[i] -= a[k*n+i] * b[k]
		}
		b[i] /= a[i*n+i]
	}
	return b, true
}

// fitSizes finds how the sizes of the residuals around tell that of a residual.
func (f *fitter) fitSizes(p *predictor, b int, weight, mean []float64, meanY float64, step int32) {
	w := f.w
	residual := func(at int) float64 {
		var x [taps]float64
		f.gather(&x, b, p.first, p.second, at)
		e := f.planes[b].at(at) - meanY
		for k, v := range weight {
			e -= v * (x[k] - mean[k])
		}
		return math.Round(math.Abs(e) / float64(step))
	}
	n := 6
	if p.first >= 0 {
		n += 5
	}
	if p.second >= 0 {
		n++
	}
	start := make([]float64, n)
	start[0], start[3], start[2], start[4] = 0.3, 0.3, 0.15, 0.15
	got := start
	floor := 0.1
	every := 4
	m := 0
	for i := 0; i < len(f.at); i += every {
		at := f.at[i]
		if at/w < 5 || at%w < 4 || at%w >= w-3 {
			continue
		}
		x := &f.x[m]
		for k, d := range [6]int{-1, -2, -w - 1, -w, -w + 1, -2 * w} {
			x[k] = residual(at + d)
		}
		if p.first >= 0 {
			s := f.planes[p.first].sizes
			for k, d := range [5]int{-1, 0, 1, -w, w} {
				x[6+k] = float64(s[at+d])
			}
		}
		if p.second >= 0 {
			x[11] = float64(f.planes[p.second].sizes[at])
		}
		f.y[m] = residual(at)
		f.errs[m] = 1
		m++
	}
	for round := 0; round < 2 && m > 50; round++ {
		w, mx, my, ok := solve(f.x[:m], f.y[:m], f.errs[:m], start)
		if !ok {
			break
		}
		got, floor = w, my
		for k := range got {
			got[k] = max(got[k], 0)
			floor -= got[k] * mx[k]
		}
		floor = max(floor, 0.02)
		for i := range m {
			e := floor + 0.3
			for k, w := range got {
				e += w * f.x[i][k]
			}
			f.errs[i] = 1 / (e * e)
		}
	}
	for k, w := range got {
		p.sizeWeight[k] = int32(math.Round(min(w, 7.9) * (1 << sizeBits)))
	}
	p.sizeOffset = int32(min(floor, 1e5) * (1 << sizeBits))
}
