package fft

import (
	"fmt"
	"math"
	"syscall"
	"testing"
)

// processor is the time that this process has had of processors, in seconds: on a shared machine it says more than
// the time on the clock.
func processor() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

// fastest runs a thing for some rounds and returns the shortest time of a processor that it took.
func fastest(b *testing.B, run func()) float64 {
	best := math.Inf(1)
	for b.Loop() {
		start := processor()
		run()
		best = min(best, processor()-start)
	}
	return best
}

func rate(b *testing.B, n, transforms int, seconds float64) {
	b.ReportMetric(5*float64(n)*math.Log2(float64(n))*float64(transforms)/seconds/1e9, "GFLOP/s")
}

func BenchmarkRows(b *testing.B) {
	for _, n := range []int{1024, 4096, 5120, 8192} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, rows := planOf(b, n), 256
			x := noise(n*rows, 1)
			rate(b, n, 2*rows, fastest(b, func() { p.Rows(x, n, rows, false, 1); p.Rows(x, n, rows, true, 1) }))
		})
	}
}

func BenchmarkColumns(b *testing.B) {
	for _, n := range []int{1024, 4096, 5120, 8192} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, cols := planOf(b, n), 256
			x := noise(n*cols, 1)
			rate(b, n, 2*cols, fastest(b, func() { p.Columns(x, cols, cols, false, 1); p.Columns(x, cols, cols, true, 1) }))
		})
	}
}

func BenchmarkThrough(b *testing.B) {
	for _, n := range []int{4096, 8192} {
		for _, with := range []bool{false, true} {
			b.Run(fmt.Sprint(n, with), func(b *testing.B) {
				p, rows := planOf(b, n), 256
				x := noise(n*rows, 1)
				var ph []Phase
				var w []float32
				if with {
					ph = make([]Phase, rows)
					w = make([]float32, n)
				}
				rate(b, n, 2*rows, fastest(b, func() { p.Through(x, n, rows, ph, ph, ph, w, n/2, 1) }))
			})
		}
	}
}
