package linktile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
)

var update = flag.Bool("update", false, "write the golden tiles anew")

// TestTheFormatStaysWhatItIs holds bytes of earlier days against what is read and written now. A new format gets
// a new magic, and these stay readable.
func TestTheFormatStaysWhatItIs(t *testing.T) {
	whole := example(70, 45, 3)
	near := whole
	near.Error = []int{0, 5, 20}
	layers, err := EncodeLayers(whole, near.Error)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "lossless.cct", whole, func(data []byte) (Tile, error) { return Decode(data, 70*45) }, whole.Encode)
	golden(t, "near.cct", near, func(data []byte) (Tile, error) { return Decode(data, 70*45) }, near.Encode)
	var base Tile
	for i, layer := range layers {
		want := whole
		if want.Grid = i > 0; i == 1 {
			want.Error = near.Error
		}
		name := []string{"layer-coarse.cct", "layer-base.cct", "layer-lossless.cct"}[i]
		base = golden(t, name, want, func(data []byte) (Tile, error) {
			if i == 0 {
				return DecodeLayer(data, 70*45)
			}
			return Refine(base, data)
		}, func() ([]byte, error) { return layer, nil })
	}
}

// golden holds a file against what is read from it, and against what is written now.
func golden(t *testing.T, name string, in Tile, decode func([]byte) (Tile, error), encode func() ([]byte, error)) Tile {
	t.Helper()
	path := filepath.Join("testdata", name)
	data, err := encode()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out, err := decode(old)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if out.Layer == "" {
		if err := same(in, out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// weights are fitted with fractions, which other processors round otherwise
	head, body, err := unseal(data)
	if err != nil {
		t.Fatal(err)
	}
	if oldHead, oldBody, _ := unseal(old); runtime.GOARCH == "amd64" && (!reflect.DeepEqual(head, oldHead) || !bytes.Equal(body, oldBody)) {
		t.Errorf("%s: %d bytes are written that are not the %d of before", name, len(data), len(old))
	}
	return out
}

// TestRealBands codes a real scene of Sentinel-2.
func TestRealBands(t *testing.T) {
	in := sentinel(t)
	data, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out, err := Decode(data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := same(in, out); err != nil {
		t.Fatal(err)
	}
	lossless := len(data)
	in.Error = []int{5, 5, 5, 5, 5, 5}
	if data, err = in.Encode(); err != nil {
		t.Fatal(err)
	}
	if out, err = Decode(data, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := same(in, out); err != nil {
		t.Fatal(err)
	}
	bits := func(n int) float64 { return float64(n) * 8 / float64(len(in.Pix)) }
	t.Logf("%.2f bits a number without loss, %.2f with ±0.0005", bits(lossless), bits(len(data)))
	// JPEG XL at effort 3 takes 9.51 bits a number of these bands, each by itself, libjxl 0.11
	if bits(lossless) > 0.94*9.51 || bits(len(data)) > 0.6*9.51 {
		t.Errorf("%.2f and %.2f bits a number are more than 0.94 and 0.6 of JPEG XL", bits(lossless), bits(len(data)))
	}
}

// sentinel is a real scene of six bands, from the test assets.
func sentinel(t testing.TB) Tile {
	t.Helper()
	folder := os.Getenv("CANVAS_ASSETS")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "assets")
	}
	z, err := zip.OpenReader(filepath.Join(folder, "scenes", "sentinel2.npz"))
	if err != nil {
		t.Skipf("skipped: %v (set CANVAS_ASSETS)", err)
	}
	defer z.Close()
	f, err := z.Open("img.npy")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	const w, h, n = 512, 512, 6
	raw = raw[len(raw)-w*h*n*4:]
	in := Tile{Header: Header{W: w, H: h, DataType: "UInt16", Place: Place{SceneW: w, SceneH: h, Size: 256, Overlap: 24, Cols: 1, Rows: 1}}, Pix: make([]uint16, w*h*n)}
	for b, name := range []string{"blue", "green", "red", "nir", "swir16", "swir22"} {
		in.Bands, in.Scalings = append(in.Bands, name), append(in.Scalings, Scaling{0.0001, 0})
		for i := range w * h {
			v := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(i*n+b):]))
			in.Pix[b*w*h+i] = uint16(math.Round(float64(v) * 10000))
		}
	}
	return in
}
