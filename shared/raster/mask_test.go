package raster_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

func TestAMaskHasItsColours(t *testing.T) {
	dir := t.TempDir()
	m, err := raster.CreateMask(filepath.Join(dir, "work.tif"), 600, 600, utm(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := errors.Join(m.Write(raster.Window{W: 600, H: 600}, make([]byte, 600*600)), m.Finish(filepath.Join(dir, "mask.tif"))); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("gdalinfo", filepath.Join(dir, "mask.tif")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ColorInterp=Palette") || !strings.Contains(string(out), "1: 150,60,220,255") ||
		!strings.Contains(string(out), "254: 96,96,96,255") || !strings.Contains(string(out), "254 not judged, 255 no data") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "mask.tif.aux.xml")); err == nil {
		t.Error("the colours lie in a file beside it")
	}
}

func TestAMaskIsWrittenInAnyOrderAndEndsAsCOG(t *testing.T) {
	dir := t.TempDir()
	g := raster.Grid{Width: 1300, Height: 900, Size: 256, Overlap: 20}
	m, err := raster.CreateMask(filepath.Join(dir, "work.tif"), g.Width, g.Height, utm(t))
	if err != nil {
		t.Fatal(err)
	}
	var tiles []raster.Tile
	for tile := range g.Tiles() {
		tiles = append(tiles, tile)
	}
	class := func(x, y int) byte { return byte((x/100 + y/70) % 3) }
	left := tiles[3]
	for i := range tiles {
		tile := tiles[(i*7+5)%len(tiles)]
		if tile == left {
			continue
		}
		var pixels []byte
		for y := range tile.Core.H {
			for x := range tile.Core.W {
				pixels = append(pixels, class(tile.Core.X+x, tile.Core.Y+y))
			}
		}
		if err := m.Write(tile.Core, pixels); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "mask.tif")
	if err := m.Finish(out); err != nil {
		t.Fatal(err)
	}
	// The late tile comes; the product is finished again.
	pixels := make([]byte, left.Core.W*left.Core.H)
	if err := m.Write(left.Core, pixels); err != nil {
		t.Fatal(err)
	}
	check := func(path string, late byte) {
		t.Helper()
		s := open(t, path, raster.Options{})
		if s.Info().Georef.EPSG != 32632 || s.Info().DataType != "Byte" || *s.Info().NoData != 255 {
			t.Errorf("%+v", s.Info())
		}
		im, err := s.Read(raster.Window{W: g.Width, H: g.Height}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for y := range g.Height {
			for x := range g.Width {
				want := class(x, y)
				if c := left.Core; x >= c.X && x < c.X+c.W && y >= c.Y && y < c.Y+c.H {
					want = late
				}
				got := byte(math.Round(float64(im.Planes[0][y*g.Width+x]) * 255))
				if im.Void != nil && im.Void[y*g.Width+x] != 0 {
					got = vision.NoData
				}
				if got != want {
					t.Fatalf("%s: class %d at %d,%d, not %d", path, got, x, y, want)
				}
			}
		}
	}
	check(out, vision.NoData)
	again := filepath.Join(dir, "again.tif")
	if err := m.Finish(again); err != nil {
		t.Fatal(err)
	}
	check(again, 0)
	part, err := m.Read(left.Core)
	if err != nil || part[0] != 0 {
		t.Error(part[0], err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := m.Write(raster.Window{W: 1, H: 1}, []byte{0}); err == nil {
		t.Error("a closed mask is written")
	}
}

// TestMasksPassTheCOGRules checks what rio-cogeo validate and GDAL's own validator ask for.
func TestMasksPassTheCOGRules(t *testing.T) {
	info, err := exec.LookPath("gdalinfo")
	if err != nil {
		t.Skip("skipped: gdalinfo is not installed (gdal-bin)")
	}
	for _, size := range [][2]int{{100, 80}, {513, 512}, {2100, 1100}} {
		dir := t.TempDir()
		m, err := raster.CreateMask(filepath.Join(dir, "work.tif"), size[0], size[1], raster.Georef{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if err := m.Write(raster.Window{X: 10, Y: 10, W: 50, H: 50}, make([]byte, 2500)); err != nil {
			t.Fatal(err)
		}
		cog := filepath.Join(dir, "mask.tif")
		if err := m.Finish(cog); err != nil {
			t.Fatal(err)
		}
		text, err := exec.Command(info, "-json", cog).Output()
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			Metadata map[string]map[string]string
			Bands    []struct {
				Type        string
				Block       [2]int
				NoDataValue float64
				Overviews   []struct{ Size [2]int }
			}
		}
		if err := json.Unmarshal(text, &said); err != nil {
			t.Fatal(err)
		}
		band := said.Bands[0]
		if said.Metadata["IMAGE_STRUCTURE"]["LAYOUT"] != "COG" || band.Type != "Byte" || band.NoDataValue != 255 || band.Block != [2]int{512, 512} {
			t.Errorf("%v: %s", size, text)
		}
		// Beyond 512 pixels overviews are asked for, each half the one before, down to one block.
		want := 0
		for side := max(size[0], size[1]); side > 512; side /= 2 {
			want++
		}
		if len(band.Overviews) != want {
			t.Errorf("%v: %d overviews, not %d", size, len(band.Overviews), want)
		}
	}
}

func TestPlacesThatCannotBeWrittenAreTold(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "missing", "mask.tif")
	if _, err := raster.CreateMask(nowhere, 10, 10, raster.Georef{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "choose a folder") {
		t.Errorf("%v", err)
	}
	m, err := raster.CreateMask(filepath.Join(t.TempDir(), "work.tif"), 10, 10, raster.Georef{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Finish(nowhere); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := m.Write(raster.Window{X: 5, W: 6, H: 1}, make([]byte, 6)); err == nil {
		t.Error("a window outside is written")
	}
	if err := m.Write(raster.Window{W: 6, H: 1}, make([]byte, 5)); err == nil {
		t.Error("five classes fill six pixels")
	}
}
