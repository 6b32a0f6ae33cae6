package native

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
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

// linkTile is a tile of 2 x 2 windows of a scene whose pixels are all the same.
func linkTile(t *testing.T, bands ...string) (windows.Part, []byte) {
	t.Helper()
	g := windows.Grid{Width: 400, Height: 300, Size: 256, Overlap: 24, Margin: 51, Group: 4}
	tile, _ := g.At(0, 0)
	part := windows.Part{Grid: g, Tile: tile}
	im := vision.Image{W: tile.Held.W, H: tile.Held.H, Bands: bands, Void: make([]byte, tile.Held.W*tile.Held.H)}
	im.Void[7] = 1
	for b := range bands {
		plane := make([]float32, im.W*im.H)
		for i := range plane {
			plane[i] = 0.1 + 0.05*float32(b) + 0.0001*float32(i%500)
		}
		plane[7] = 0
		im.Planes = append(im.Planes, plane)
	}
	out, err := raster.LinkTile(im, raster.Georef{}, raster.Coding{}, part, 0)
	if err != nil {
		t.Fatal(err)
	}
	data, err := out.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return part, data
}

func TestATileOfTheLinkComesWithItsWindows(t *testing.T) {
	part, data := linkTile(t, "blue", "green", "red", "nir")
	p, err := Decoder{}.Decode(linktile.MediaType, data)
	if err != nil || p.Part == nil || p.Part.Tile.Held != part.Tile.Held || p.W != 400 || p.H != 300 || p.Void[7] != 1 || p.Wanted != nil {
		t.Fatalf("%v: %+v", err, p.Part)
	}
	size, err := Decoder{}.Size(linktile.MediaType, data)
	if err != nil || size < 400*300*4*4 || size > 400*300*4*32 {
		t.Errorf("%v: it takes %d bytes", err, size)
	}
	if _, err := (Decoder{MaxPixels: 100}).Decode(linktile.MediaType, data); err == nil {
		t.Error("a tile of too many pixels is decoded")
	}
	tile, err := linktile.Decode(data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	tile.Kept = slices.Repeat([]bool{true}, linktile.Blocks(400)*linktile.Blocks(300))
	tile.Kept[1] = false
	if data, err = tile.Encode(); err != nil {
		t.Fatal(err)
	}
	if p, err = (Decoder{}).Decode(linktile.MediaType, data); err != nil || p.Wanted[31] || p.Wanted[32] || !p.Wanted[96] || p.Wanted[32*400+32] || !p.Wanted[64*400+32] { // neighbours of what is left out are context
		t.Errorf("%v: what is left out is wanted, or what lies beside it, or too little", err)
	}
	tile.Place.X, tile.Place.SceneW = 1, 401
	if data, err = tile.Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := (Decoder{}).Decode(linktile.MediaType, data); !errors.Is(err, linktile.ErrMalformed) {
		t.Errorf("a tile of another place: %v", err)
	}
}

func TestTheHeavyModelAnswersATileOfTheLinkInItsOwnPixels(t *testing.T) {
	_, data := linkTile(t, "blue", "green", "red", "nir", "swir16", "swir22")
	s := newScene(t, worker.Config{Models: []worker.Choice{{Want: "segment", Model: "ukis_csmask_6b_l1c"}}})
	s.put("segment", linktile.MediaType, data)
	select {
	case r := <-s.results:
		planes, err := vision.DecodeProbabilities(r.Data, 400, 300)
		if err != nil || len(planes) != 2 || planes[0][7] != vision.NoData || planes[0][8] == vision.NoData {
			t.Errorf("%v: %d planes", err, len(planes))
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("no result within two minutes")
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
