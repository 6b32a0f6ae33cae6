package mosaic

import (
	"archive/zip"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
)

// Scenes of the seam's tests.
const (
	sample   = "sample"
	labelled = "labelled scene"
)

// labelledScene writes the labelled Sentinel-2 scene of the assets, 512 x 512 pixels of reflectance, as
// a GeoTIFF, or skips.
func labelledScene(t *testing.T) string {
	t.Helper()
	const side = 512
	bands := []string{"blue", "green", "red", "nir", "swir16", "swir22"}
	pixels := floats(t, "img.npy", side*side*len(bands))
	planes := make([]float32, 0, len(pixels))
	for b := range bands {
		for i := range side * side {
			planes = append(planes, pixels[i*len(bands)+b])
		}
	}
	path := filepath.Join(t.TempDir(), "labelled.tif")
	w, err := raster.Create(path, raster.Layout{Width: side, Height: side, Bands: bands, DataType: "Float32"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Write(raster.Window{W: side, H: side}, planes); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return path
}

// floats reads the n little-endian 32-bit floats of an array in the scene's file.
func floats(t *testing.T, name string, n int) []float32 {
	t.Helper()
	dir := os.Getenv("CANVAS_ASSETS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "assets")
	}
	z, err := zip.OpenReader(filepath.Join(dir, "scenes", "sentinel2.npz"))
	if err != nil {
		t.Skipf("%v; set CANVAS_ASSETS to the assets folder", err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err != nil || len(data) < 4*n || !strings.Contains(string(data[:128]), "'<f4', 'fortran_order': False") {
		t.Fatalf("%s: %d bytes, %v; want %d floats of 32 bits, row by row", name, len(data), err, n)
	}
	data = data[len(data)-4*n:]
	values := make([]float32, n)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values
}
