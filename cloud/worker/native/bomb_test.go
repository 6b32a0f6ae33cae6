package native

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/raster"
)

// sparseTile is a tile of which nothing is stored, whatever its size.
func sparseTile(t *testing.T, bands, side int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tile.tif")
	w, err := raster.Create(path, raster.Layout{Width: side, Height: side, Bands: make([]string, bands), DataType: "UInt16",
		Creation: []string{"TILED=YES", "COMPRESS=ZSTD", "SPARSE_OK=TRUE"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestBombsAreDeadLettersAndEverythingElseFlows gives a worker small files that become gigabytes.
func TestBombsAreDeadLettersAndEverythingElseFlows(t *testing.T) {
	s := newScene(t, worker.Config{Models: []worker.Choice{{Want: "segment", Model: worker.SpectralRGB}}})
	s.deadly = true
	var black, good bytes.Buffer
	if err := png.Encode(&black, image.NewPaletted(image.Rect(0, 0, 8192, 8000), color.Palette{color.Black})); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&good, image.NewRGBA(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	bombs := []struct {
		media string
		data  []byte
	}{{"image/tiff", sparseTile(t, 32, 8192)}, {"image/png", black.Bytes()}, {"image/tiff", sparseTile(t, 8, 4096)}}
	for _, b := range bombs {
		if len(b.data) > 1<<20 {
			t.Fatalf("a bomb of %d bytes is none", len(b.data))
		}
		s.put("segment", b.media, b.data)
	}
	tile, err := raster.EncodeTile(sky("blue", "green", "red"), raster.Georef{}, raster.Coding{})
	if err != nil {
		t.Fatal(err)
	}
	s.put("segment", "image/tiff; application=geotiff", tile)
	late := time.After(2 * time.Minute)
	for range bombs {
		select {
		case l := <-s.dead:
			if l.Class != "cloudcanvas.worker.TooLarge" || !strings.Contains(l.Err.Error(), "268435456 is the limit") {
				t.Errorf("a dead letter says %s: %v", l.Class, l.Err)
			}
		case <-late:
			t.Fatal("a bomb is no dead letter within a minute")
		}
	}
	select {
	case <-s.results:
	case <-late:
		t.Fatal("the tile behind the bombs has no result within a minute")
	}
}
