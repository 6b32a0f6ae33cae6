package raster

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/airbusgeo/godal"
	"pgregory.net/rapid"
)

// sparse is a TIFF of which no block is there: some hundred bytes, whatever its size.
func sparse(t testing.TB, bands int, kind godal.DataType, w, h int, options ...string) []byte {
	t.Helper()
	started()
	name := memoryFile()
	ds, err := godal.Create(godal.GTiff, name, bands, kind, w, h, reportErrors, godal.CreationOption(append(options, "SPARSE_OK=TRUE")...))
	if err != nil {
		t.Fatal(err)
	}
	if err := ds.Close(reportErrors); err != nil {
		t.Fatal(err)
	}
	data, err := takeMemory(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// resident is what the process has in memory now.
func resident(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	var pages int64
	for _, c := range strings.Fields(string(text))[1] {
		pages = pages*10 + int64(c-'0')
	}
	return pages * int64(os.Getpagesize())
}

func TestATileThatTakesTooMuchMemoryIsRefusedBeforeItIsDecoded(t *testing.T) {
	const limit = 1 << 26 // pixels
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"many bands", "8192 x 8192 pixels of 32 bands", sparse(t, 32, godal.UInt16, 8192, 8192, "TILED=YES", "COMPRESS=ZSTD")},
		{"many bands interleaved", "take", sparse(t, 32, godal.UInt16, 8000, 8000, "INTERLEAVE=PIXEL", "COMPRESS=DEFLATE")},
		{"more bands than are taken", "bands", sparse(t, 5000, godal.Byte, 64, 64)},
		{"huge sides", "500000 x 500000 pixels", sparse(t, 1, godal.Byte, 500_000, 500_000, "TILED=YES", "COMPRESS=ZSTD", "BLOCKXSIZE=4096", "BLOCKYSIZE=4096")},
		{"one long row", "pixels", sparse(t, 1, godal.Byte, 100_000_000, 1, "COMPRESS=DEFLATE")},
		{"64-bit complex samples", "CFloat64", sparse(t, 1, godal.CFloat64, 4096, 4096, "COMPRESS=DEFLATE")},
		{"a block larger than the tile", "blocks of", sparse(t, 1, godal.Byte, 16, 16, "TILED=YES", "BLOCKXSIZE=32768", "BLOCKYSIZE=32768", "COMPRESS=ZSTD")},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := resident(t)
			_, err := DecodeTile(c.data, limit)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d bytes: got %v", len(c.data), err)
			}
			if more := resident(t) - before; more > 64<<20 {
				t.Errorf("refusing %d bytes took %d MiB", len(c.data), more>>20)
			}
		})
	}
}

func TestTileBytesAreWhatDecodingMakes(t *testing.T) {
	data := sparse(t, 6, godal.UInt16, 256, 256, "TILED=YES", "COMPRESS=ZSTD")
	n, err := TileBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	if made := int64(256 * 256 * 6 * 4); n < made || n > 3*made {
		t.Errorf("%d bytes for %d of pixels", n, made)
	}
	if _, err := TileBytes([]byte("GIF89a..")); err == nil {
		t.Error("no TIFF has a size")
	}
}

// TestTileBytesAreAtLeastThePixels changes numbers of a tile's directory: what decodes takes no more than was said.
func TestTileBytesAreAtLeastThePixels(t *testing.T) {
	good := sparse(t, 2, godal.UInt16, 64, 64, "TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64")
	rapid.Check(t, func(t *rapid.T) {
		data := append([]byte(nil), good...)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			at := rapid.IntRange(4, len(data)-4).Draw(t, "at")
			binary.LittleEndian.PutUint16(data[at:], rapid.Uint16().Draw(t, "value"))
		}
		n, err := TileBytes(data)
		if err != nil || n > 256<<20 {
			return
		}
		im, err := DecodeTile(data, 1<<22)
		if err == nil && int64(im.W)*int64(im.H)*int64(len(im.Planes))*4 > n {
			t.Fatalf("%d x %d of %d bands came out of a tile of %d bytes", im.W, im.H, len(im.Planes), n)
		}
	})
}

func FuzzTileBytes(f *testing.F) {
	f.Add(sparse(f, 2, godal.UInt16, 64, 64, "TILED=YES"))
	f.Add(sparse(f, 1, godal.Byte, 64, 64, "COMPRESS=DEFLATE"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := TileBytes(data); err == nil && n < 0 {
			t.Fatal(n)
		}
	})
}
