package fft

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

func noise(n int, seed uint64) []complex64 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]complex64, n)
	for i := range x {
		x[i] = complex(float32(r.NormFloat64()), float32(r.NormFloat64()))
	}
	return x
}

func wide(x []complex64) []complex128 {
	y := make([]complex128, len(x))
	for i, v := range x {
		y[i] = complex128(v)
	}
	return y
}

// exact is the transform in double precision, by the smallest factor of the length at a time.
func exact(x []complex128, inverse bool) []complex128 {
	y := exactSum(x, map[bool]float64{false: -1, true: 1}[inverse])
	if inverse {
		for i := range y {
			y[i] /= complex(float64(len(y)), 0)
		}
	}
	return y
}

func exactSum(x []complex128, sign float64) []complex128 {
	n := len(x)
	if n == 1 {
		return []complex128{x[0]}
	}
	f := 2
	for n%f != 0 {
		f++
	}
	parts := make([][]complex128, f)
	for i := range parts {
		part := make([]complex128, 0, n/f)
		for j := i; j < n; j += f {
			part = append(part, x[j])
		}
		parts[i] = exactSum(part, sign)
	}
	y := make([]complex128, n)
	for k := range y {
		for i := range parts {
			s, c := math.Sincos(sign * 2 * math.Pi * float64(i*k%n) / float64(n))
			y[k] += parts[i][k%(n/f)] * complex(c, s)
		}
	}
	return y
}

// decibels is the energy of got - want over that of want.
func decibels(got []complex64, want []complex128) float64 {
	var apart, whole float64
	for i, w := range want {
		d := cmplx.Abs(complex128(got[i]) - w)
		apart += d * d
		whole += real(w)*real(w) + imag(w)*imag(w)
	}
	return 10 * math.Log10(apart/whole)
}

func lengths(below int) []int {
	var out []int
	for n := Good(1); n > 0 && n < below; n = Good(n + 1) {
		out = append(out, n)
	}
	return out
}

func planOf(t testing.TB, n int) *Plan {
	t.Helper()
	p, err := NewPlan(n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExact(t *testing.T) {
	worst := -200.0
	for _, n := range append(lengths(1300), 4096, 8192, 5120, 6480, 15360, 16384, 32768, 100000, 1<<18) {
		p := planOf(t, n)
		rows := 3
		x := noise(n*rows, uint64(n))
		for _, inverse := range []bool{false, true} {
			got := append([]complex64(nil), x...)
			p.Rows(got, n, rows, inverse, 1)
			turned := make([]complex64, n*rows)
			for r := range rows {
				for i := range n {
					turned[i*rows+r] = x[r*n+i]
				}
			}
			p.Columns(turned, rows, rows, inverse, 1)
			for r := range rows {
				row := got[r*n:][:n]
				want := exact(wide(x[r*n:][:n]), inverse)
				d := decibels(row, want)
				worst = max(worst, d)
				if !(d <= -120) {
					t.Fatalf("n %d, inverse %v, row %d: %.1f dB", n, inverse, r, d)
				}
				for i := range n {
					if turned[i*rows+r] != row[i] {
						t.Fatalf("n %d, inverse %v: column %d differs from the row at %d: %v, %v", n, inverse, r, i, turned[i*rows+r], row[i])
					}
				}
			}
		}
	}
	t.Logf("worst %.1f dB", worst)
}
