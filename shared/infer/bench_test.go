package infer

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

var benchModels = []string{"yolox_nano", "ukis_csmask_6b_l1c", "cloud_edge_6b"}

func benchImage(b *testing.B, m model.Model) vision.Image {
	if len(m.Input.Bands) > 0 {
		return scene(b, 0, 0, m.Input.Size[0], m.Input.Size[1])
	}
	return shot(b, "vtest.avi:20")
}

// BenchmarkForward is the network alone, every session busy, in each layout of the machine's cores.
func BenchmarkForward(b *testing.B) {
	for _, name := range benchModels {
		f, err := readFile(known(b, name))
		if err != nil {
			b.Fatal(err)
		}
		engines := []string{ORTCPU, OVCPU, OpenCVCPU}
		if f.model.Int8 != nil {
			engines = append(engines, ORTInt8, OVInt8)
		}
		for _, engine := range engines {
			for _, l := range layoutsFor(runtime.GOMAXPROCS(0)) {
				b.Run(fmt.Sprintf("%s/%s/%dx%d", name, engine, l.Sessions, l.Threads), func(b *testing.B) {
					for b.Loop() {
						rate, err := f.rate(engine, l, time.Second)
						if err != nil {
							b.Fatal(err)
						}
						b.ReportMetric(rate, "images/s")
					}
				})
			}
		}
	}
}

// BenchmarkRun is everything from pixels to boxes or masks. Its metric "ratio" is its rate over the
// best forward-only rate of all layouts, measured in the same run; the target is 0.8.
func BenchmarkRun(b *testing.B) {
	for _, name := range benchModels {
		b.Run(name, func(b *testing.B) {
			m := known(b, name)
			f, err := readFile(m)
			if err != nil {
				b.Fatal(err)
			}
			best, layout := 0.0, Layout{}
			for _, l := range layoutsFor(runtime.GOMAXPROCS(0)) {
				rate, err := f.rate(ORTCPU, l, time.Second)
				if err != nil {
					b.Fatal(err)
				}
				if rate > best {
					best, layout = rate, l
				}
			}
			n := open(b, m, ORTCPU, layout)
			in := make([]vision.Image, 2*n.Layout().Sessions)
			for i := range in {
				in[i] = benchImage(b, m)
			}
			images := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.Run(context.Background(), in); err != nil {
					b.Fatal(err)
				}
				images += len(in)
			}
			rate := float64(images) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "images/s")
			b.ReportMetric(rate/best, "ratio")
		})
	}
}

// BenchmarkPicture is the pass from a camera's pixels to the network's input.
func BenchmarkPicture(b *testing.B) {
	im := shot(b, "vtest.avi:20")
	p := newPlan(known(b, "yolox_nano").Input)
	g, err := p.fit(&im)
	if err != nil {
		b.Fatal(err)
	}
	scratch, dst := make([]byte, g.scratch()), make([]float32, 3*416*416)
	for b.Loop() {
		if err := p.write(&im, g, scratch, dst); err != nil {
			b.Fatal(err)
		}
	}
}
