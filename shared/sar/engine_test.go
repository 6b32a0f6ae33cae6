package sar

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/fft/gpu"
	"cloudcanvas/shared/fft/gpu/gputest"
)

// spoilt is a device that does its work and then something else.
type spoilt struct {
	device
	then func(data []complex64) error
}

func (s spoilt) Focus(b gpu.Block) error {
	if err := s.device.Focus(b); err != nil {
		return err
	}
	return s.then(b.Data)
}

func TestAnEngineFocusesAsTheCPUDoes(t *testing.T) {
	dir := gputest.Libraries(t)
	e, why, err := OpenEngine(t.Context(), OnGPU, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	t.Log(why)
	if !strings.Contains(why, "a stub") {
		t.Error(why)
	}
	for _, centroid := range []float64{0, -1100} {
		plan, err := goldenPlan(centroid, Weighting{})
		if err != nil {
			t.Fatal(err)
		}
		b, p := plan.Blocks[0], &plan.Params
		_, lines := plan.Stored(b)
		raw := make([]byte, lines*p.Samples*p.Format.Bytes())
		for i := range raw {
			raw[i] = byte(i * 7919 >> 5)
		}
		want, err := plan.Focus(t.Context(), b, raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		im, on, failed, err := e.Focus(t.Context(), plan, b, raw, nil)
		if err != nil || failed != nil || on != CUFFT {
			t.Fatal(on, failed, err)
		}
		if db := im.apart(want); !(db <= -110) {
			t.Errorf("at %v Hz it is off by %.1f dB", centroid, db)
		} else {
			t.Logf("at %v Hz off by %.1f dB", centroid, db)
		}
		if slices.Equal(im.Pix, want.Pix) {
			t.Error("the CPU has made it")
		}
		// A block that fails is the CPU's, to the bit, wherever it failed.
		for _, call := range []string{"cuMemAlloc_v2@1", "cufftExecC2C@3", "cuMemcpyDtoH_v2"} {
			t.Setenv("STUB_FAIL", call)
			im, on, failed, err := e.Focus(t.Context(), plan, b, raw, nil)
			if name, _, _ := strings.Cut(call, "@"); err != nil || on != "" || failed == nil || !strings.Contains(failed.Error(), name) || !slices.Equal(im.Pix, want.Pix) {
				t.Error(call, on, failed, err)
			}
		}
		t.Setenv("STUB_FAIL", "")
		late := &Engine{device: spoilt{e.device, func(data []complex64) error {
			clear(data)
			return errors.New("it was lost on its way back")
		}}}
		if im, on, failed, err := late.Focus(t.Context(), plan, b, raw, nil); err != nil || on != "" || failed == nil || !slices.Equal(im.Pix, want.Pix) {
			t.Error(on, failed, err)
		}
		if _, _, failed, err := e.Focus(t.Context(), plan, b, raw[1:], nil); err == nil || failed != nil {
			t.Error("a block that is at fault is not the GPU's: ", failed, err)
		}
	}
}

func TestTheGoldenCaseTellsADeviceThatIsWrong(t *testing.T) {
	dir := gputest.Libraries(t)
	good, _, err := OpenEngine(t.Context(), OnAuto, dir)
	if err != nil || good == nil {
		t.Fatal(err)
	}
	defer good.Close()
	for name, then := range map[string]func([]complex64) error{
		"a number": func(data []complex64) error {
			data[len(data)/2] += complex(float32(math.Sqrt(float64(len(data)))), 0) * 1e4
			return nil
		},
		"scaled": func(data []complex64) error {
			for i := range data {
				data[i] *= 1.0001
			}
			return nil
		},
		"no number":   func(data []complex64) error { data[len(data)/2] = complex64(complex(math.NaN(), 0)); return nil },
		"left undone": func(data []complex64) error { clear(data); return nil },
	} {
		if db, err := (&Engine{device: spoilt{good.device, then}}).golden(t.Context()); err != nil || db <= mostApart {
			t.Errorf("%s: %.1f dB, %v", name, db, err)
		}
	}
}

func TestWhereNoGPUIs(t *testing.T) {
	empty := t.TempDir()
	if e, why, err := OpenEngine(t.Context(), OnAuto, empty); e != nil || err != nil || !strings.Contains(why, "on the CPU: no GPU for focusing here, because of") {
		t.Error(e, why, err)
	}
	if _, _, err := OpenEngine(t.Context(), OnGPU, empty); !errors.Is(err, gpu.ErrUnavailable) {
		t.Error(err)
	}
	for _, setting := range []string{"", OnCPU} {
		if e, why, err := OpenEngine(t.Context(), setting, empty); e != nil || why != "" || err != nil {
			t.Error(e, why, err)
		}
	}
	if _, _, err := OpenEngine(t.Context(), "npu", empty); err == nil {
		t.Error("npu")
	}
	dir := gputest.Libraries(t)
	t.Setenv("STUB_FAIL", "cufftExecC2C@2") // opened, but its golden case fails
	if e, why, err := OpenEngine(t.Context(), OnAuto, dir); e != nil || err != nil || !strings.Contains(why, "golden case") {
		t.Error(e, why, err)
	}
}

// TestOnTheGPUTheGoldenCaseIsTheCPUs is run by deps/gpu.sh where there is a GPU.
func TestOnTheGPUTheGoldenCaseIsTheCPUs(t *testing.T) {
	e, why, err := OpenEngine(t.Context(), OnGPU, "")
	if errors.Is(err, gpu.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	t.Log(why)
}
