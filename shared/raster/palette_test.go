package raster_test

import (
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cloudcanvas/shared/raster"
)

// TestAPictureWithAPaletteIsReadInItsColours looks at a picture whose first colour is black, and whose
// last is transparent.
func TestAPictureWithAPaletteIsReadInItsColours(t *testing.T) {
	im := image.NewPaletted(image.Rect(0, 0, 64, 64), color.Palette{color.NRGBA{A: 255}, color.NRGBA{R: 200, G: 100, B: 50, A: 255}, color.NRGBA{R: 10, G: 20, B: 250, A: 255}, color.NRGBA{}})
	for i := range im.Pix {
		im.Pix[i] = uint8(i % 4)
	}
	dir := t.TempDir()
	for name, write := range map[string]func(*os.File) error{
		"p.png": func(f *os.File) error { return png.Encode(f, im) },
		"p.gif": func(f *os.File) error { return gif.Encode(f, im, nil) },
	} {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err == nil {
			err = write(f)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := raster.Open(path, raster.Options{})
		if err != nil {
			t.Logf("skipped %s: %v", name, err) // this GDAL has no such format
			continue
		}
		defer s.Close()
		if got := s.Info().Bands; !slices.Equal(got, []string{"red", "green", "blue"}) {
			t.Errorf("%s: bands %v", name, got)
		}
		got, err := s.Read(raster.Window{W: 4, H: 1}, []string{"blue", "green", "red"})
		if err != nil {
			t.Fatal(err)
		}
		for x, want := range [][3]float32{{}, {50, 100, 200}, {250, 20, 10}} {
			for b, v := range want {
				if d := got.Planes[b][x]*255 - v; d < -0.01 || d > 0.01 || got.Void[x] != 0 {
					t.Errorf("%s: pixel %d, %s: %v, void %v", name, x, got.Bands[b], got.Planes[b][x]*255, got.Void)
				}
			}
		}
		if got.Void[3] == 0 {
			t.Errorf("%s: what is transparent has data", name)
		}
		display, err := s.Display()
		if err != nil {
			t.Fatal(err)
		}
		if shown := display.Show(got).Pix[3:6]; !slices.Equal(shown, []byte{50, 100, 200}) {
			t.Errorf("%s is shown as %v", name, shown)
		}
		coding, err := s.Coding(nil)
		if err != nil || coding.NoData != nil {
			t.Errorf("%s: its tiles say that %v is no data, %v", name, coding.NoData, err)
		}
		if named, err := raster.Open(path, raster.Options{Bands: []string{"classes"}}); err != nil || len(named.Info().Bands) != 1 {
			t.Errorf("%s: one band that a person named is %v, %v", name, named.Info().Bands, err)
		} else {
			named.Close()
		}
	}
}
