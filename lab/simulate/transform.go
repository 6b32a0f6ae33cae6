package simulate

import (
	"math"
	"math/bits"
	"math/cmplx"
	"sync"
)

// transform is the Fourier transform of x in place, or its inverse; its length is a power of two. It is in double
// precision and shares nothing with the transforms that focus what is simulated.
func transform(x []complex128, inverse bool) {
	n := len(x)
	shift := 64 - bits.Len(uint(n)-1)
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); n > 1 && j > i {
			x[i], x[j] = x[j], x[i]
		}
	}
	w := roots(n)
	for half := 1; half < n; half *= 2 {
		step := n / (2 * half)
		for block := 0; block < n; block += 2 * half {
			for k := range half {
				t := w[k*step]
				if inverse {
					t = cmplx.Conj(t)
				}
				a, b := x[block+k], x[block+k+half]*t
				x[block+k], x[block+k+half] = a+b, a-b
			}
		}
	}
	if inverse {
		for i := range x {
			x[i] /= complex(float64(n), 0)
		}
	}
}

var rootsOf sync.Map // length → e^(-2πik/n)

func roots(n int) []complex128 {
	if w, ok := rootsOf.Load(n); ok {
		return w.([]complex128)
	}
	w := make([]complex128, n/2)
	for k := range w {
		w[k] = polar(1, -2*math.Pi*float64(k)/float64(n))
	}
	rootsOf.Store(n, w)
	return w
}
