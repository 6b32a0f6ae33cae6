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

// BenchmarkBlock does what focusing a block of echoes does with transforms and phases, by turns with the four bare
// passes that it consists of.
func BenchmarkBlock(b *testing.B) {
	const lines, samples, threads = 4096, 8192, 1
	azimuth, rangewise := planOf(b, lines), planOf(b, samples)
	x := noise(lines*samples, 1)
	phases, window := make([]Phase, lines), make([]float32, samples)
	for r := range phases {
		phases[r] = Phase{0.1, 1e-3 * float64(r), 1e-5}
	}
	for k := range window {
		window[k] = 1
	}
	bare, columns, whole := math.Inf(1), math.Inf(1), math.Inf(1)
	for b.Loop() {
		t0 := processor()
		azimuth.Columns(x, samples, samples, false, threads)
		t1 := processor()
		rangewise.Rows(x, samples, lines, false, threads)
		rangewise.Rows(x, samples, lines, true, threads)
		t2 := processor()
		azimuth.Columns(x, samples, samples, true, threads)
		t3 := processor()
		rangewise.Through(x, samples, lines, phases, phases, phases, window, samples/2, threads)
		t4 := processor()
		columns = min(columns, t1-t0, t3-t2)
		bare, whole = min(bare, t2-t1), min(whole, t4-t3)
	}
	flops := func(n, count int) float64 { return 5 * float64(n) * math.Log2(float64(n)) * float64(count) / 1e9 }
	b.ReportMetric(flops(lines, samples)/columns, "GFLOP/s-columns")
	b.ReportMetric(flops(samples, 2*lines)/bare, "GFLOP/s-rows")
	b.ReportMetric(bare/whole, "rows/through")
	b.ReportMetric((bare+2*columns)/(whole+2*columns), "four-passes/focusing")
}
