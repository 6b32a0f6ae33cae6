package raster

import (
	"cmp"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/airbusgeo/godal"
)

// The time of reading a Sentinel-2 product, tile after tile, against that of reading the same windows of its
// files with GDAL and nothing else. CANVAS_SAFE is the product's folder or zip; deps/bench.sh makes one, and runs
// the two in processes of their own, by turns, since GDAL's settings are a process's.

// TestMakeSAFE makes that product: CANVAS_MAKE_SAFE is its folder, CANVAS_SAFE_SIDE its side in pixels of 10 m. All
// bands of a resolution are the same picture, coded once as ESA codes: lossy, in blocks of 1,024 pixels.
func TestMakeSAFE(t *testing.T) {
	root := os.Getenv("CANVAS_MAKE_SAFE")
	side, err := strconv.Atoi(cmp.Or(os.Getenv("CANVAS_SAFE_SIDE"), "10980"))
	if root == "" || err != nil {
		t.Skip("CANVAS_MAKE_SAFE names no folder")
	}
	first := map[int]string{}
	putSAFE(t, root, func(path string, _, metres int) {
		if from := first[metres]; from != "" {
			if err := os.Link(from, path); err != nil {
				t.Fatal(err)
			}
			return
		}
		first[metres] = path
		jp2(t, path, side*10/metres, float64(metres), func(x, y int) uint16 {
			waves := math.Sin(float64(x*metres)/3100) + math.Sin(float64(y*metres)/4700) + math.Sin(float64((x+y)*metres)/290)
			return uint16(1800 + 500*waves + float64((x*2654435761+y*40503)>>7%64))
		}, "QUALITY=25", "REVERSIBLE=NO", "BLOCKXSIZE=1024", "BLOCKYSIZE=1024")
	})
}

var benchBands = []string{"blue", "green", "red", "nir", "swir16", "swir22"}

func benchProduct(b *testing.B) string {
	path := os.Getenv("CANVAS_SAFE")
	if path == "" {
		b.Skip("CANVAS_SAFE names no product; deps/bench.sh makes one")
	}
	return path
}

func BenchmarkSAFE(b *testing.B) {
	path := benchProduct(b)
	for b.Loop() {
		s, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		info := s.Info()
		for tile := range (Grid{Width: info.Width, Height: info.Height, Size: 256, Overlap: 24, Margin: 23}).Tiles() {
			if _, err := s.ReadMirrored(tile.Window, benchBands); err != nil {
				b.Fatal(err)
			}
		}
		s.Close()
	}
}

func BenchmarkPlainSAFE(b *testing.B) {
	path := benchProduct(b)
	of, err := findProduct(path)
	if err != nil {
		b.Fatal(err)
	}
	godal.RegisterAll()
	for b.Loop() {
		var files []*godal.Dataset
		width, height := 0, 0
		for _, band := range of.bands {
			if !strings.Contains(strings.Join(benchBands, " "), band.name) {
				continue
			}
			ds, err := godal.Open(band.file, godal.RasterOnly())
			if err != nil {
				b.Fatal(err)
			}
			files = append(files, ds)
			width, height = max(width, ds.Structure().SizeX), max(height, ds.Structure().SizeY)
		}
		pixels := make([]uint16, 256*256)
		for tile := range (Grid{Width: width, Height: height, Size: 256, Overlap: 24, Margin: 23}).Tiles() {
			x, y := max(tile.Window.X, 0), max(tile.Window.Y, 0)
			w, h := min(tile.Window.X+tile.Window.W, width)-x, min(tile.Window.Y+tile.Window.H, height)-y
			for _, ds := range files {
				k := width / ds.Structure().SizeX
				err := ds.Read(x/k, y/k, pixels, w, h, godal.Window((w+k-1)/k, (h+k-1)/k))
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		for _, ds := range files {
			ds.Close()
		}
	}
}
