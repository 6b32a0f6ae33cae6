package sar

import (
	"math"
	"math/bits"
)

// good is the smallest length from n on that transforms well.
func good(n int) int { return 1 << bits.Len(uint(max(n, 2)-1)) }

// transform holds the roots of one length, a power of two.
type transform struct {
	n     int
	roots []complex64
}

func newTransform(n int) *transform {
	t := &transform{n: n, roots: make([]complex64, n/2)}
	for i := range t.roots {
		s, c := math.Sincos(-2 * math.Pi * float64(i) / float64(n))
		t.roots[i] = complex(float32(c), float32(s))
	}
	return t
}

// forward transforms x, inverse undoes it but for a factor n.
func (t *transform) forward(x []complex64) {
	t.order(x)
	for half := 1; half < t.n; half *= 2 {
		step := t.n / (2 * half)
		for at := 0; at < t.n; at += 2 * half {
			low, high := x[at:at+half], x[at+half:at+2*half]
			for i := range low {
				w := t.roots[i*step] * high[i]
				low[i], high[i] = low[i]+w, low[i]-w
			}
		}
	}
}

func (t *transform) inverse(x []complex64) {
	t.forward(x)
	for i, j := 1, t.n-1; i < j; i, j = i+1, j-1 {
		x[i], x[j] = x[j], x[i]
	}
}

func (t *transform) order(x []complex64) {
	shift := 64 - bits.Len(uint(t.n-1))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); j > i {
			x[i], x[j] = x[j], x[i]
		}
	}
}
