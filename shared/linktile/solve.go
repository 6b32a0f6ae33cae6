package linktile

import "math"

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
