package fft

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// plain is the textbook's transform of radix 2 in Go: a yardstick that any machine has.
type plain struct{ turns []complex64 }

func newPlain(n int) plain {
	turns := make([]complex64, n/2)
	for k := range turns {
		s, c := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
		turns[k] = complex(float32(c), float32(s))
	}
	return plain{turns}
}

func (p plain) transform(x []complex64) {
	n := len(x)
	shift := 64 - bits.TrailingZeros(uint(n))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for half := 1; half < n; half *= 2 {
		for start := 0; start < n; start += 2 * half {
			for k, step := 0, n/2/half; k < half; k++ {
				a, b := x[start+k], x[start+half+k]*p.turns[k*step]
				x[start+k], x[start+half+k] = a+b, a-b
			}
		}
	}
}

func TestPlain(t *testing.T) {
	x := noise(1024, 11)
	y := append([]complex64(nil), x...)
	newPlain(1024).transform(x)
	if d := decibels(x, exact(wide(y), false)); !(d <= -110) {
		t.Errorf("the yardstick is wrong: %.1f dB", d)
	}
}

const pocketfft = `
import sys, time
import numpy, scipy.fft
n, rows = int(sys.argv[1]), int(sys.argv[2])
x = numpy.random.default_rng(1).standard_normal((rows, 2 * n), dtype=numpy.float32).view(numpy.complex64)
best = 1e9
for i in range(12):
    start = time.process_time()
    x = (scipy.fft.ifft if i % 2 else scipy.fft.fft)(x, axis=1, overwrite_x=True, workers=1)
    best = min(best, time.process_time() - start)
assert x.dtype == numpy.complex64
print(best)
`

// BenchmarkPeers holds rows of 4,096 points, on one thread, against plain Go and against SciPy's pocketfft, where
// CANVAS_FFT_PYTHON, or else python3, has it.
func BenchmarkPeers(b *testing.B) {
	const n, rows = 4096, 256
	p, go2 := planOf(b, n), newPlain(n)
	x, y := noise(n*rows, 1), noise(n*rows, 1)
	ours, textbook, scipy := math.Inf(1), math.Inf(1), math.Inf(1)
	python := os.Getenv("CANVAS_FFT_PYTHON")
	if python == "" {
		python = "python3"
	}
	for b.Loop() {
		for inverse := range 4 { // both, twice
			start := processor()
			p.Rows(x, n, rows, inverse&1 == 1, 1)
			ours = min(ours, processor()-start)
		}
		start := processor()
		for r := range rows / 8 {
			go2.transform(y[r*n:][:n])
		}
		textbook = min(textbook, 8*(processor()-start))
		copy(y, x) // a transform without its inverse grows
		out, err := exec.Command(python, "-c", pocketfft, fmt.Sprint(n), fmt.Sprint(rows)).CombinedOutput()
		if err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			b.Logf("no pocketfft beside it: %s: %v: %s", python, err, lines[len(lines)-1])
			continue
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		scipy = min(scipy, seconds)
	}
	rate(b, n, rows, ours)
	b.ReportMetric(textbook/ours, "times-plain-Go")
	if !math.IsInf(scipy, 1) {
		b.ReportMetric(scipy/ours, "times-pocketfft")
	}
}
