package raster_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
)

// pngHead is the beginning of an 8-bit RGB PNG of that size, with a few rows.
func pngHead(side uint32) []byte {
	var out bytes.Buffer
	chunk := func(kind string, data []byte) {
		body := append([]byte(kind), data...)
		binary.Write(&out, binary.BigEndian, uint32(len(data)))
		out.Write(body)
		binary.Write(&out, binary.BigEndian, crc32.ChecksumIEEE(body))
	}
	out.WriteString("\x89PNG\r\n\x1a\n")
	chunk("IHDR", append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, side), side), 8, 2, 0, 0, 0))
	var rows bytes.Buffer
	z := zlib.NewWriter(&rows)
	z.Write(make([]byte, side*3+1))
	z.Close()
	chunk("IDAT", rows.Bytes())
	chunk("IEND", nil)
	return out.Bytes()
}

func TestAPictureBombIsRefusedBeforeItIsDecoded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bomb.png")
	if err := os.WriteFile(path, pngHead(60_000), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := raster.Open(path, raster.Options{}); err == nil || !strings.Contains(err.Error(), "60000 x 60000") || !strings.Contains(err.Error(), "gdal_translate") {
		t.Errorf("%v", err)
	}
}

func TestASceneOfOneHugeBlockIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "block.tif")
	w, err := raster.Create(path, raster.Layout{Width: 20_000, Height: 20_000, Bands: []string{"red"}, DataType: "Byte",
		Creation: []string{"TILED=YES", "BLOCKXSIZE=20000", "BLOCKYSIZE=20000", "SPARSE_OK=TRUE"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := raster.Open(path, raster.Options{}); err == nil || !strings.Contains(err.Error(), "TILED=YES") {
		t.Errorf("%v", err)
	}
}

func TestTransparentPixelsHaveNoData(t *testing.T) {
	picture := image.NewNRGBA(image.Rect(0, 0, 4, 1))
	for x, c := range []color.NRGBA{{10, 20, 30, 255}, {10, 20, 30, 0}, {0, 0, 0, 255}, {255, 255, 255, 1}} {
		picture.Set(x, 0, c)
	}
	var data bytes.Buffer
	if err := png.Encode(&data, picture); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "glass.png")
	if err := os.WriteFile(path, data.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, raster.Options{})
	im, err := s.Read(raster.Window{W: 4, H: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(im.Bands, []string{"red", "green", "blue"}) || !slices.Equal(im.Void, []byte{0, 1, 0, 0}) {
		t.Errorf("%v, void %v", im.Bands, im.Void)
	}
}
