package sar

import (
	"math"
	"runtime"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/fft"
)

// swath is RADARSAT-1's full swath, as wide as the real echoes' acquisition.
func swath(lines int) Params {
	p := cBand(-6900)
	p.Lines, p.Samples, p.Format = lines, 9288, IQ8
	return p
}

// BenchmarkFocus compares focusing a block, raw lines to rows, with the four bare passes of transforms of the same
// block on the same threads, by turns.
func BenchmarkFocus(b *testing.B) {
	p := swath(100_000)
	plan := planOf(b, p, 1<<30)
	block := plan.Blocks[len(plan.Blocks)/2]
	raw := make([]byte, block.Lines*p.Samples*2)
	for i := range raw {
		raw[i] = byte(i*7919>>5&31) - 16
	}
	threads := runtime.GOMAXPROCS(0)
	azimuth, err := fft.NewPlan(block.Lines)
	if err != nil {
		b.Fatal(err)
	}
	ranges, err := fft.NewPlan(plan.width())
	if err != nil {
		b.Fatal(err)
	}
	focusing, bare, best := math.Inf(1), math.Inf(1), math.Inf(1)
	for b.Loop() {
		start, clock := processor(), time.Now()
		if _, err := plan.Focus(b.Context(), block, raw, nil); err != nil {
			b.Fatal(err)
		}
		focusing, best = min(focusing, processor()-start), min(best, time.Since(clock).Seconds())
		b.StopTimer()
		f := plan.focuser(block)
		if err := f.unpack(raw, nil, 0, block.Lines); err != nil {
			b.Fatal(err)
		}
		start = processor()
		azimuth.Columns(f.data, f.width, p.Samples, false, threads)
		ranges.Rows(f.data, f.width, block.Lines, false, threads)
		ranges.Rows(f.data, f.width, block.Lines, true, threads)
		azimuth.Columns(f.data, f.width, p.Samples, true, threads)
		bare = min(bare, processor()-start)
		b.StartTimer()
	}
	samples := float64(block.Rows * p.Samples)
	b.ReportMetric(samples/best/1e6, "Ms/s")
	b.ReportMetric(samples/best/(p.PRFHz*float64(p.Samples)), "of-acquisition-rate")
	b.ReportMetric(samples/focusing/1e6, "Ms/s/processor")
	b.ReportMetric(bare/focusing, "bare/focusing")
	b.ReportMetric(float64(block.Lines), "lines")
	b.ReportMetric(float64(block.Rows), "rows")
}

// processor is the time that this process has had of processors, in seconds: on a shared machine it says more than
// the time on the clock.
func processor() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}
