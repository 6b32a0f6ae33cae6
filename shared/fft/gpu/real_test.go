package gpu

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// onDevice opens the real libraries, and skips where there are none: deps/gpu.sh runs this where there is a GPU.
func onDevice(t testing.TB) *Device {
	t.Helper()
	d, err := Open("")
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	t.Log(d)
	return d
}

func TestOnTheGPUABlockIsTheCPUs(t *testing.T) {
	d := onDevice(t)
	for name, b := range map[string]Block{"small": small(true), "8192 x 8192": large()} {
		want := onCPU(t, b)
		if err := d.Focus(b); err != nil {
			t.Fatal(err)
		}
		if db := apart(b, b.Data, want); !(db <= -90) {
			t.Errorf("%s: it is off by %.1f dB", name, db)
		} else {
			t.Logf("%s: off by %.1f dB", name, db)
		}
	}
}

// large has the size of the paper's block: Yang et al. 2022, 5.86 s on a Jetson Nano.
func large() Block {
	const n = 8192
	b, from := Block{Data: make([]complex64, n*n), Width: n, Rows: n, Columns: n, Split: n / 2}, small(false)
	for i := range b.Data {
		b.Data[i] = from.Data[i%len(from.Data)]
	}
	for r := range n {
		at := r % from.Rows
		b.Before, b.Middle, b.After = append(b.Before, from.Before[at]), append(b.Middle, from.Middle[at]), append(b.After, from.After[at])
		b.Factors = append(b.Factors, from.Factors[at])
	}
	return b
}

// BenchmarkGPU is a block from the host's memory to the host's memory, with the plans that are made for it.
func BenchmarkGPU(b *testing.B) {
	d, block := onDevice(b), large()
	given, best := slices.Clone(block.Data), time.Hour
	for b.Loop() {
		copy(block.Data, given)
		start := time.Now()
		if err := d.Focus(block); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	b.ReportMetric(best.Seconds()*1000, "ms")
	b.ReportMetric(5.86/best.Seconds(), "paper/this")
}
