package gpu

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/fft"
	"cloudcanvas/shared/fft/gpu/gputest"
)

// small is a block whose rows are longer than the columns that are transformed.
func small(windowed bool) Block {
	const width, rows = 480, 144
	random := rand.New(rand.NewPCG(1, 2))
	b := Block{Data: make([]complex64, width*rows), Width: width, Rows: rows, Columns: 451, Split: 241, Factors: make([]float32, rows)}
	for i := range b.Data {
		b.Data[i] = complex(float32(random.NormFloat64()), float32(random.NormFloat64()))
	}
	for r := range rows {
		x := float64(r)
		b.Before = append(b.Before, fft.Phase{A: 1e5 + x/7, B: -3.3 + x*1e-3, C: 2.1e-3})
		b.Middle = append(b.Middle, fft.Phase{A: -x, B: 0.7 + x*1e-2, C: -1.3e-3})
		b.After = append(b.After, fft.Phase{A: x * x / 9, B: 4e-3 * x, C: 1 + 1e-5*x})
		b.Factors[r] = 1 + float32(r)/100
	}
	if windowed {
		for i := range width {
			b.Window = append(b.Window, float32(0.5+0.5*math.Cos(float64(i)/50)))
		}
	}
	return b
}

// onCPU is what Block says, by the package fft.
func onCPU(t *testing.T, b Block) []complex64 {
	t.Helper()
	azimuth, err := fft.NewPlan(b.Rows)
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := fft.NewPlan(b.Width)
	if err != nil {
		t.Fatal(err)
	}
	data := slices.Clone(b.Data)
	azimuth.Columns(data, b.Width, b.Columns, false, 1)
	ranges.Through(data, b.Width, b.Rows, b.Before, b.Middle, b.After, b.Window, b.Split, 1)
	for i := range data {
		data[i] *= complex(b.Factors[i/b.Width], 0)
	}
	azimuth.Columns(data, b.Width, b.Columns, true, 1)
	return data
}

// apart is by how many dB the columns that matter differ at most, of the largest number.
func apart(b Block, got, want []complex64) float64 {
	var off, peak float64
	for i, v := range want {
		if i%b.Width < b.Columns {
			d, w := complex128(got[i]-v), complex128(v)
			off, peak = max(off, math.Hypot(real(d), imag(d))), max(peak, math.Hypot(real(w), imag(w)))
		}
	}
	if math.IsNaN(off) {
		return math.Inf(1)
	}
	return 20 * math.Log10(off/peak)
}

func opened(t *testing.T) *Device {
	t.Helper()
	d, err := Open(gputest.Libraries(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestTheCallsMakeWhatTheCPUMakes(t *testing.T) {
	d := opened(t)
	if d.String() != "a stub (compute capability 8.7) with cuFFT 11.2.4" {
		t.Error(d)
	}
	for _, windowed := range []bool{false, true} {
		b := small(windowed)
		want := onCPU(t, b)
		if err := d.Focus(b); err != nil {
			t.Fatal(err)
		}
		if db := apart(b, b.Data, want); !(db <= -110) {
			t.Errorf("window %v: it is off by %.1f dB", windowed, db)
		} else {
			t.Logf("window %v: off by %.1f dB", windowed, db)
		}
	}
}

// TestEachCallMayFail lets each call fail, the first time, the second and so on, until there is no such time: the
// error names the call, nothing stays on the device, and the next block is focused.
func TestEachCallMayFail(t *testing.T) {
	d := opened(t)
	good := small(true)
	if err := d.Focus(good); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STUB_MEMORY", fmt.Sprint(8*len(good.Data)+(9*8+4)*good.Rows+4*good.Width)) // of one block and no more
	for call, times := range map[string]int{
		"cuCtxPushCurrent_v2": 1, "cuMemAlloc_v2": 4, "cufftPlanMany": 2, "cuMemcpyHtoD_v2": 6, "cufftExecC2C": 4, "cuLaunchKernel": 3, "cuCtxSynchronize": 1, "cuMemcpyDtoH_v2": 1,
	} {
		for k := 1; k <= times+1; k++ {
			t.Setenv("STUB_FAIL", fmt.Sprintf("%s@%d", call, k))
			b := small(true)
			err := d.Focus(b)
			if k > times {
				if err != nil || !slices.Equal(b.Data, good.Data) {
					t.Errorf("after %d failures of %s: %v", times, call, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), call+" gave error") {
				t.Errorf("%s failed the %d. time: %v", call, k, err)
			}
			if before := small(true); !slices.Equal(b.Data, before.Data) {
				t.Errorf("%s failed the %d. time: the block has changed", call, k)
			}
		}
	}
}

func TestADeviceTooSmallSaysSo(t *testing.T) {
	d := opened(t)
	t.Setenv("STUB_MEMORY", "1000")
	if err := d.Focus(small(false)); err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Error(err)
	}
}

func TestWhyThereIsNoGPU(t *testing.T) {
	dir := gputest.Libraries(t)
	for _, call := range []string{
		"cuInit", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetAttribute", "cufftGetVersion", "cuDevicePrimaryCtxRetain", "cuCtxPushCurrent_v2", "nvrtcCreateProgram",
		"nvrtcCompileProgram", "nvrtcGetCUBINSize", "nvrtcGetCUBIN", "cuModuleLoadData", "cuModuleGetFunction",
	} {
		t.Setenv("STUB_FAIL", call)
		if _, err := Open(dir); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), call+" gave error") {
			t.Errorf("%s failed: %v", call, err)
		} else if call == "nvrtcCompileProgram" && !strings.Contains(err.Error(), "phase.cu(1): error") {
			t.Errorf("without the compiler's words: %v", err)
		}
	}
	t.Setenv("STUB_FAIL", "")
	t.Setenv("STUB_VERSION", "10400")
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "says 10400, a library of version 11 was expected") {
		t.Error(err)
	}
	t.Setenv("STUB_VERSION", "11204")
	dir = gputest.Libraries(t) // the loader remembers what it has opened
	if err := os.Remove(dir + "/libnvrtc.so.12"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "libnvrtc.so.12") || !strings.Contains(err.Error(), "libcufft.so.12") {
		t.Error("each toolkit's missing library is named: ", err)
	}
	_, err := Open(t.TempDir())
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "libcuda.so.1") {
		t.Error(err)
	}
	t.Log(err)
}

func TestABlockThatDoesNotFitIsRefused(t *testing.T) {
	d := opened(t)
	for name, change := range map[string]func(*Block){
		"no rows": func(b *Block) { b.Rows = 0 }, "short data": func(b *Block) { b.Data = b.Data[1:] }, "columns": func(b *Block) { b.Columns = b.Width + 1 },
		"phases": func(b *Block) { b.Middle = b.Middle[1:] }, "split": func(b *Block) { b.Split = -1 }, "window": func(b *Block) { b.Window = b.Window[1:] },
		"2^31": func(b *Block) { b.Width, b.Rows = 1<<20, 1<<11 },
	} {
		b := small(true)
		change(&b)
		if err := d.Focus(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
