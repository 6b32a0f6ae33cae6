package sar

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
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
		im, err := plan.Focus(b.Context(), block, raw, nil)
		if err != nil {
			b.Fatal(err)
		}
		focusing, best = min(focusing, processor()-start), min(best, time.Since(clock).Seconds())
		b.StopTimer()
		im.Release()
		f := plan.focuser(block, nil)
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

// BenchmarkLongAcquisition takes 65,536 lines of 8,192 samples from a file to packed rows, block by block, and says
// how much memory the process had at most.
func BenchmarkLongAcquisition(b *testing.B) {
	p := swath(65536)
	p.Samples = 8192
	line := make([]byte, 2*p.Samples)
	for i := range line {
		line[i] = byte(i*7919>>5&31) - 16
	}
	path := filepath.Join(b.TempDir(), "echoes")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range p.Lines {
		line[i%len(line)] ^= 21
		if _, err := w.Write(line); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	e := &Echoes{Params: p, Path: path, file: file}
	defer e.Close()
	for b.Loop() {
		forgetPeak(b)
		plan := planOf(b, p, 1<<30)
		for _, block := range plan.Blocks {
			raw, gains, err := e.Raw(plan.Stored(block))
			if err != nil {
				b.Fatal(err)
			}
			im, err := plan.Focus(b.Context(), block, raw, gains)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := EncodeRows(im); err != nil {
				b.Fatal(err)
			}
			im.Release()
		}
		b.ReportMetric(float64(len(plan.Blocks)), "blocks")
		b.ReportMetric(float64(plan.memory(plan.Blocks[0].Lines))/(1<<20), "MiB/block")
		b.ReportMetric(peak(b)/(1<<20), "peak-MiB")
	}
	b.ReportMetric(float64(p.Lines)*float64(p.Samples)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Ms/s")
}

// forgetPeak lets Linux count the most memory of this process from now on; peak is that, in bytes.
func forgetPeak(b *testing.B) {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Skip("the most memory that a process had is known on Linux alone: ", err)
	}
}

func peak(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	var kib float64
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(after, &kib); err != nil {
		b.Fatal(err)
	}
	return kib * 1024
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
