package fft

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// with runs a test with the kernels of a name, and says whether this processor has them.
func with(t *testing.T, name string, run func()) bool {
	t.Helper()
	before := kernels
	defer func() { kernels = before }()
	if kernels = chosen(name); kernels == nil {
		return false
	}
	run()
	return true
}

func bitsOf(x []complex64) []uint64 {
	out := make([]uint64, len(x))
	for i, v := range x {
		out[i] = uint64(math.Float32bits(real(v)))<<32 | uint64(math.Float32bits(imag(v)))
	}
	return out
}

// everything does all there is to some rows and columns.
func everything(t *testing.T, n, rows, stride, threads int) []uint64 {
	p := planOf(t, n)
	r := rand.New(rand.NewPCG(uint64(n), 2))
	window := make([]float32, n)
	for i := range window {
		window[i] = r.Float32()
	}
	before, middle, after := phasesUpTo(1e4, n, rows, r), phasesUpTo(1e4, n, rows, r), phasesUpTo(1e4, n, rows, r)
	x := noise(stride*rows, 3)
	p.Rows(x, stride, rows, false, threads)
	p.Through(x, stride, rows, before, middle, after, window, n/2-1, threads)
	p.Rows(x, stride, rows, true, threads)
	y := noise(n*rows, 4)
	p.Columns(y, rows, rows, false, threads)
	Rotate(y, before[0])
	p.Columns(y, rows, rows, true, threads)
	return bitsOf(append(x, y...))
}

func TestSameOnAllProcessors(t *testing.T) {
	tried := 0
	for _, n := range []int{16, 48, 240, 400, 1024, 1536, 4096, 6000} {
		want := everything(t, n, 19, n+3, 1)
		for _, name := range []string{"avx512", "avx2", "baseline"} {
			if with(t, name, func() {
				if !slices.Equal(want, everything(t, n, 19, n+3, 1)) {
					t.Errorf("%d points: %s gives other bits", n, name)
				}
			}) {
				tried++
			}
		}
	}
	if tried < 8 {
		t.Errorf("%d sets of kernels tried", tried)
	}
	t.Logf("%d sets of kernels and lengths tried", tried)
}

func TestSameInAnyBatch(t *testing.T) {
	for _, n := range []int{64, 240, 1024} {
		const rows, stride = 53, 1100
		p := planOf(t, n)
		x := noise(stride*rows, 5)
		phases := phasesUpTo(1e4, n, rows, rand.New(rand.NewPCG(1, 2)))
		one := slices.Clone(x)
		p.Through(one, stride, rows, phases, phases, phases, nil, n/2, 1)
		p.Rows(one, stride, rows, false, 1)
		for _, threads := range []int{0, 2, 3, 100} {
			many := slices.Clone(x)
			p.Through(many, stride, rows, phases, phases, phases, nil, n/2, threads)
			p.Rows(many, stride, rows, false, threads)
			if !slices.Equal(bitsOf(one), bitsOf(many)) {
				t.Errorf("%d points, %d threads: other bits", n, threads)
			}
		}
		single := slices.Clone(x)
		for r := range rows {
			p.Through(single[r*stride:][:n], n, 1, phases[r:], phases[r:], phases[r:], nil, n/2, 1)
			p.Rows(single[r*stride:][:n], n, 1, false, 1)
		}
		if !slices.Equal(bitsOf(one), bitsOf(single)) {
			t.Errorf("%d points, row by row: other bits", n) // or samples between the rows were touched
		}
	}
	p := planOf(t, 480)
	x := noise(480*40, 6)
	one, many, parts := slices.Clone(x), slices.Clone(x), slices.Clone(x)
	p.Columns(one, 40, 37, false, 1)
	p.Columns(many, 40, 37, false, 7)
	for c := 0; c < 37; c += 5 {
		p.Columns(parts[c:], 40, min(5, 37-c), false, 1)
	}
	if !slices.Equal(bitsOf(one), bitsOf(many)) || !slices.Equal(bitsOf(one), bitsOf(parts)) {
		t.Error("columns: other bits on seven threads or in other batches")
	}
	for i := range x {
		if i%40 >= 37 && one[i] != x[i] {
			t.Fatalf("a sample beyond the columns was touched: %d", i)
		}
	}
}

func TestSeveralAtOnce(t *testing.T) {
	p := planOf(t, 960)
	want := noise(960*20, 7)
	x := slices.Clone(want)
	p.Rows(want, 960, 20, false, 1)
	done := make(chan []complex64)
	for range 6 {
		go func() {
			mine := slices.Clone(x)
			for range 5 {
				copy(mine, x)
				p.Rows(mine, 960, 20, false, 2)
			}
			done <- mine
		}()
	}
	for range 6 {
		if !slices.Equal(bitsOf(want), bitsOf(<-done)) {
			t.Error("one plan, several users: other bits")
		}
	}
}

func TestLaws(t *testing.T) {
	for _, n := range []int{16, 80, 960, 4096, 6480} {
		p := planOf(t, n)
		x, y := noise(n, 8), noise(n, 9)
		fx, fy, sum := slices.Clone(x), slices.Clone(y), make([]complex64, n)
		for i := range sum {
			sum[i] = 2*x[i] - 3*y[i]
		}
		p.Rows(fx, n, 1, false, 1)
		p.Rows(fy, n, 1, false, 1)
		p.Rows(sum, n, 1, false, 1)
		back := slices.Clone(fx)
		p.Rows(back, n, 1, true, 1)
		if d := decibels(back, wide(x)); !(d <= -120) {
			t.Errorf("%d points there and back: %.1f dB", n, d)
		}
		want := make([]complex128, n)
		var before, after float64
		for i := range want {
			want[i] = 2*complex128(fx[i]) - 3*complex128(fy[i])
			before += sq(x[i])
			after += sq(fx[i])
		}
		if d := decibels(sum, want); !(d <= -120) {
			t.Errorf("%d points, a sum: %.1f dB", n, d)
		}
		if math.Abs(after/before/float64(n)-1) > 1e-6 {
			t.Errorf("%d points: the energy is %g of what it was", n, after/before/float64(n))
		}
	}
}

func sq(x complex64) float64 {
	return float64(real(x))*float64(real(x)) + float64(imag(x))*float64(imag(x))
}

// A row that holds no numbers leaves its neighbours alone.
func TestNotNumbers(t *testing.T) {
	p := planOf(t, 240)
	x := noise(240*5, 10)
	want := slices.Clone(x)
	for i := range 240 {
		x[2*240+i] = complex(float32(math.NaN()), float32(math.Inf(1)))
	}
	p.Rows(x, 240, 5, false, 1)
	p.Rows(want, 240, 5, false, 1)
	for i := range x {
		if i/240 != 2 && x[i] != want[i] {
			t.Fatalf("sample %d: %v, not %v", i, x[i], want[i])
		}
	}
}

func TestGood(t *testing.T) {
	for _, c := range [][2]int{{-5, 16}, {0, 16}, {1, 16}, {16, 16}, {17, 32}, {97, 128}, {101, 128}, {4097, 4320}, {1 << 20, 1 << 20}, {1<<20 + 1, 0}, {math.MaxInt, 0}} {
		if got := Good(c[0]); got != c[1] {
			t.Errorf("Good(%d) = %d, not %d", c[0], got, c[1])
		}
	}
	for _, n := range []int{-16, 0, 1, 8, 15, 24, 16 * 7, 16 * 11, 1<<20 + 16, 1 << 21, math.MinInt, math.MaxInt} {
		if p, err := NewPlan(n); err == nil || p != nil || !strings.Contains(err.Error(), "multiple of 16") {
			t.Errorf("a plan of %d points: %v", n, err)
		}
	}
	for _, n := range lengths(9000) {
		if first := split(n); n%first != 0 || n/first%16 != 0 {
			t.Errorf("%d is split in %d and %d", n, first, n/first)
		}
	}
}

func TestRefused(t *testing.T) {
	p := planOf(t, 64)
	x := make([]complex64, 64*4)
	one := make([]Phase, 1)
	for want, do := range map[string]func(){
		"do not lie in 256 samples":       func() { p.Rows(x, 64, 5, false, 1) },
		"4 rows of 64 samples with a":     func() { p.Rows(x[:255], 64, 4, false, 1) },
		"overlap":                         func() { p.Rows(x, 63, 2, false, 1) },
		"stride of 9223372036854775807":   func() { p.Rows(x, math.MaxInt, 3, false, 1) },
		"-1 x 64":                         func() { p.Rows(x, 64, -1, false, 1) },
		"64 rows of 5 samples":            func() { p.Columns(x, 5, 5, false, 1) },
		"64 x -1":                         func() { p.Columns(x, 5, -1, false, 1) },
		"before has 1 phases for 2 rows":  func() { p.Through(x, 64, 2, one, nil, nil, nil, 0, 1) },
		"middle has 1 phases for 2 rows":  func() { p.Through(x, 64, 2, nil, one, nil, nil, 0, 1) },
		"after has 1 phases for 2 rows":   func() { p.Through(x, 64, 2, nil, nil, one, nil, 0, 1) },
		"window has 63 factors for 64":    func() { p.Through(x, 64, 2, nil, nil, nil, make([]float32, 63), 0, 1) },
		"split at bin 65 of 64":           func() { p.Through(x, 64, 2, nil, nil, nil, nil, 65, 1) },
		"Through: 2 rows of 64 samples w": func() { p.Through(x[:100], 64, 2, nil, nil, nil, nil, 0, 1) },
	} {
		func() {
			defer func() {
				if said, _ := recover().(string); !strings.Contains(said, want) {
					t.Errorf("not refused with %q: %q", want, said)
				}
			}()
			do()
		}()
	}
	for i := range x {
		if x[i] != 0 {
			t.Fatal("a refused call wrote something")
		}
	}
	p.Rows(nil, 64, 0, false, 1)
	p.Columns(nil, 0, 0, false, 1)
	p.Through(nil, 0, 0, nil, nil, nil, nil, 0, 1)
}
