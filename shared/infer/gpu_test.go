package infer

import (
	"testing"
	"time"

	"cloudcanvas/shared/vision"
)

// gpuEngines are those that need a CUDA device.
var gpuEngines = []string{OpenCVCUDA, OpenCVCUDAFP16, ORTCUDA}

// onDevice skips where there is no CUDA device: deps/gpu.sh runs this where there is one.
func onDevice(t testing.TB) {
	t.Helper()
	if device, ok := cudaDevice(); !ok {
		t.Skipf("no CUDA device: %s", device)
	}
}

// TestEnginesOnTheGPUSeeWhatTheCPUSees opens each network in each CUDA engine, which runs its golden
// case there, and compares boxes with those of the CPU on a real picture.
func TestEnginesOnTheGPUSeeWhatTheCPUSees(t *testing.T) {
	onDevice(t)
	for _, name := range []string{"yolox_nano", "picodet_s_416", "fastestdet", "ukis_csmask_6b_l1c"} {
		m := known(t, name)
		im := scene(t, 0, 0, 256, 256)
		if len(m.Input.Bands) == 0 {
			im = shot(t, "vtest.avi:20")
		}
		want, err := open(t, m, ORTCPU, Layout{Sessions: 1}).Run(t.Context(), []vision.Image{im})
		if err != nil {
			t.Fatal(err)
		}
		for _, engine := range gpuEngines {
			t.Run(name+"/"+engine, func(t *testing.T) {
				got, err := open(t, m, engine, Layout{Sessions: 1}).Run(t.Context(), []vision.Image{im})
				if err != nil {
					t.Fatal(err)
				}
				if sure, seen := surely(want[0].Boxes), surely(got[0].Boxes); sure != seen {
					t.Errorf("%d boxes of score 0.5 and more, %d on the CPU", seen, sure)
				}
				differ := 0
				for i, class := range want[0].Mask.Class {
					if got[0].Mask.Class[i] != class {
						differ++
					}
				}
				if 200*differ > len(want[0].Mask.Class) {
					t.Errorf("%d of %d pixels have another class than on the CPU", differ, len(want[0].Mask.Class))
				}
			})
		}
	}
}

func surely(boxes []vision.Box) (n int) {
	for _, b := range boxes {
		if b.Score >= 0.5 {
			n++
		}
	}
	return n
}

// BenchmarkGPU is the network alone on the GPU, one session.
func BenchmarkGPU(b *testing.B) {
	onDevice(b)
	for _, name := range benchModels {
		f, err := readFile(known(b, name))
		if err != nil {
			b.Fatal(err)
		}
		for _, engine := range gpuEngines {
			b.Run(name+"/"+engine, func(b *testing.B) {
				for b.Loop() {
					rate, err := f.rate(engine, Layout{Sessions: 1, Threads: 1}, 2*time.Second)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(rate, "images/s")
				}
			})
		}
	}
}
