package raster

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/airbusgeo/godal"
)

func TestComplexWindowsAreReadAsTheyWereWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slc.tif")
	w, err := Create(path, Layout{Width: 70, Height: 50, Bands: []string{"complex"}, DataType: "CFloat32", Metadata: map[string]string{"ROW_OFFSET": "-12"}})
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]complex64, 70*50)
	for i := range pixels {
		pixels[i] = complex(float32(i), -float32(i)/7)
	}
	if err := w.Write(Window{W: 70, H: 50}, pixels); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	c, err := OpenComplex(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Width != 70 || c.Height != 50 || c.Metadata("ROW_OFFSET") != "-12" {
		t.Errorf("%d x %d, offset %q", c.Width, c.Height, c.Metadata("ROW_OFFSET"))
	}
	got, err := c.Read(Window{X: 11, Y: 7, W: 20, H: 30})
	if err != nil {
		t.Fatal(err)
	}
	for i, z := range got {
		if want := pixels[(7+i/20)*70+11+i%20]; z != want {
			t.Fatalf("pixel %d is %v instead of %v", i, z, want)
		}
	}
	if _, err := c.Read(Window{X: 60, W: 20, H: 5}); err == nil {
		t.Error("a window beside it was read")
	}
}

func TestWhatIsNoComplexImageIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "real.tif")
	started()
	ds, err := godal.Create(godal.GTiff, path, 1, godal.Float32, 20, 20, reportErrors)
	if err != nil {
		t.Fatal(err)
	}
	if err := ds.Close(reportErrors); err != nil {
		t.Fatal(err)
	}
	for path, words := range map[string]string{path: "1 bands of Float32; one band of complex", dir: "no file", filepath.Join(dir, "none.tif"): "no such file"} {
		if _, err := OpenComplex(path); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v instead of %q", err, words)
		}
	}
}
