package native

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// BenchmarkWorker holds the worker against the bare forward passes of the same model in the same
// batches, by turns in one run: what fetching, checking, decoding, batching and writing results cost
// beside the network. ofBoth holds it against decoding on all cores and forward passes, one after the
// other: where the same cores do both, no worker reaches more.
func BenchmarkWorker(b *testing.B) {
	b.Run("ukis_csmask_6b_l1c", func(b *testing.B) {
		data, err := raster.EncodeTile(sky("blue", "green", "red", "nir", "swir16", "swir22"), raster.Georef{}, raster.Coding{})
		if err != nil {
			b.Fatal(err)
		}
		benchmark(b, "ukis_csmask_6b_l1c", "segment", "image/tiff; application=geotiff", data, 4)
	})
	b.Run("yolox_nano", func(b *testing.B) {
		benchmark(b, "yolox_nano", "detect", "image/jpeg", picture(b, "small-vehicles1.jpeg"), 12)
	})
}

const (
	batchItems = 8
	turns      = 5
)

func benchmark(b *testing.B, name, want, media string, data []byte, batches int) {
	s := newScene(b, worker.Config{Models: []worker.Choice{{Want: want, Model: name}}, BatchItems: batchItems, Prefetch: 4 * batchItems, Preload: true})
	repository := weights(b)
	network, err := Catalogue{Repository: repository, Engine: infer.ORTCPU}.Open(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	defer network.(*infer.Network).Close()
	image, err := Decoder{}.Decode(media, data)
	if err != nil {
		b.Fatal(err)
	}
	images := slices.Repeat([]vision.Image{image.Image}, batchItems)
	forward := func() {
		for range batches {
			if _, err := network.Run(context.Background(), images); err != nil {
				b.Fatal(err)
			}
		}
	}
	worked := func() {
		go func() {
			for range batches * batchItems {
				s.put(want, media, data)
			}
		}()
		for range batches * batchItems {
			<-s.results
		}
	}
	decoded := func() {
		var decoding errgroup.Group
		decoding.SetLimit(runtime.GOMAXPROCS(0))
		for range batches * batchItems {
			decoding.Go(func() error {
				_, err := Decoder{}.Decode(media, data)
				return err
			})
		}
		if err := decoding.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	forward()
	worked()
	rates := map[string][]float64{}
	for b.Loop() {
		for range turns {
			for kind, do := range map[string]func(){"items/s": worked, "forward/s": forward, "decode/s": decoded} {
				began := time.Now()
				do()
				rates[kind] = append(rates[kind], float64(batches*batchItems)/time.Since(began).Seconds())
			}
		}
	}
	median := func(of []float64) float64 { slices.Sort(of); return of[len(of)/2] }
	ours, limit, decoding := median(rates["items/s"]), median(rates["forward/s"]), median(rates["decode/s"])
	b.ReportMetric(ours, "items/s")
	b.ReportMetric(limit, "forward/s")
	b.ReportMetric(decoding, "decode/s")
	b.ReportMetric(ours/limit, "ratio")
	b.ReportMetric(ours*(1/limit+1/decoding), "ofBoth")
	b.ReportMetric(0, "ns/op")
}
