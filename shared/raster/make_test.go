package raster_test

import (
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/shared/raster"
)

// scene writes a small GeoTIFF and gives its path. pixels is called for each band, column and row.
func scene(t testing.TB, l raster.Layout, pixels func(band, x, y int) float32) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scene.tif")
	w, err := raster.Create(path, l)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	all := make([]float32, 0, len(l.Bands)*l.Width*l.Height)
	for b := range l.Bands {
		for y := range l.Height {
			for x := range l.Width {
				all = append(all, pixels(b, x, y))
			}
		}
	}
	if err := w.Write(raster.Window{W: l.Width, H: l.Height}, all); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string, o raster.Options) *raster.Scene {
	t.Helper()
	s, err := raster.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func utm(t testing.TB) raster.Georef {
	t.Helper()
	g, err := raster.UTM(32, true, 500000, 5400000, 10)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// asset finds a file among the test assets, or skips.
func asset(t testing.TB, name string) string {
	t.Helper()
	folder := os.Getenv("CANVAS_ASSETS")
	for up := "."; folder == "" && len(up) < 40; up += "/.." {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			folder = filepath.Join(up, "..", "shared", "assets")
		}
	}
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: the test assets have no %s here (set CANVAS_ASSETS)", name)
	}
	return path
}

func ptr[T any](v T) *T { return &v }
