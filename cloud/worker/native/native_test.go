package native

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// sky is a tile with a bright left half, and a pixel without data.
func sky(bands ...string) vision.Image {
	const side = 256
	im := vision.Image{W: side, H: side, Bands: bands, Void: make([]byte, side*side)}
	for range bands {
		plane := make([]float32, side*side)
		for i := range plane {
			if plane[i] = 0.05; i%side < side/2 {
				plane[i] = 0.6
			}
		}
		im.Planes = append(im.Planes, plane)
	}
	im.Void[side*side-1] = 1
	return im
}

func TestTilesAndPicturesAreDecodedByTheirType(t *testing.T) {
	data, err := raster.EncodeTile(sky("blue", "green", "red", "nir"), raster.Georef{}, raster.Coding{})
	if err != nil {
		t.Fatal(err)
	}
	im, err := Decoder{}.Decode("image/tiff; application=geotiff", data)
	if err != nil || im.W != 256 || strings.Join(im.Bands, " ") != "blue green red nir" || im.Void == nil {
		t.Fatalf("%v: %d pixels of %v", err, im.W, im.Bands)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 8, 4))); err != nil {
		t.Fatal(err)
	}
	if im, err = (Decoder{}).Decode("image/png", b.Bytes()); err != nil || im.W != 8 || len(im.Pix) != 8*4*3 {
		t.Fatalf("%v: %d pixels", err, im.W)
	}
}

func TestWhatCannotBeDecodedSaysWhy(t *testing.T) {
	big, err := raster.EncodeTile(sky("blue"), raster.Georef{}, raster.Coding{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		media, why string
		data       []byte
	}{
		{"text/plain", "none of", []byte("hello")}, {"image/tiff", "", []byte("hello")}, {"image/jpeg", "", []byte("hello")},
		{"image/tiff", "at most 100", big},
	} {
		if _, err := (Decoder{MaxPixels: 100}).Decode(c.media, c.data); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s %.10q gives %v, want something of %q", c.media, c.data, err, c.why)
		}
	}
}

// models is the folder that the set-up filled.
func models(t *testing.T) string {
	t.Helper()
	home := os.Getenv("CANVAS_HOME")
	if home == "" {
		home = "../../../.deps"
	}
	dir := filepath.Join(home, "models")
	if _, err := os.Stat(filepath.Join(dir, "ukis_csmask_4b_l1c")); err != nil {
		t.Skipf("the heavy models are not there (%v); make setup brings them", err)
	}
	return dir
}

func TestTheHeavyModelSegmentsATile(t *testing.T) {
	repository, err := model.Open(models(t))
	if err != nil {
		t.Fatal(err)
	}
	registry, err := worker.NewRegistry(worker.DefaultConfig(), Catalogue{Repository: repository, Engine: infer.ORTCPU})
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	for want, bands := range map[string][]string{
		"ukis_csmask_6b_l1c": {"swir22", "blue", "green", "red", "nir", "swir16"},
		"ukis_csmask_4b_l1c": {"blue", "green", "red", "nir"},
		worker.SpectralRGB:   {"red", "green", "blue"},
	} {
		im := sky(bands...)
		m, err := registry.Pick(&event.Item{Kind: event.Tile, Attrs: event.Attrs{Want: "segment"}}, &im)
		if err != nil || m.Name != want {
			t.Fatalf("bands %v are given to %v (%v), want %s", bands, m, err, want)
		}
	}
	im := sky("blue", "green", "red", "nir")
	network, err := Catalogue{Repository: repository, Engine: infer.ORTCPU}.Open(t.Context(), "ukis_csmask_4b_l1c")
	if err != nil {
		t.Fatal(err)
	}
	defer network.(*infer.Network).Close()
	out, err := network.Run(t.Context(), []vision.Image{im})
	if err != nil || len(out) != 1 || len(out[0].Mask.Class) != 256*256 {
		t.Fatalf("%v: %d outputs", err, len(out))
	}
	for _, c := range out[0].Mask.Class {
		if c > vision.Cloud && c != vision.NoData {
			t.Fatalf("class %d", c)
		}
	}
}
