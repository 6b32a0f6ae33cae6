package raster_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"

	"pgregory.net/rapid"
)

const megapixel = 1 << 20

func TestATileOfASceneComesBackExactly(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		kind := rapid.SampledFrom([]string{"Byte", "UInt16", "Int16"}).Draw(r, "kind")
		high := map[string]int{"Byte": 255, "UInt16": 65535, "Int16": 32767}[kind]
		low := map[string]int{"Int16": -32768}[kind]
		layout := raster.Layout{Width: 20, Height: 10, Bands: []string{"blue", "green", "swir16"}, DataType: kind, Georef: utm(t)}
		if rapid.Bool().Draw(r, "declared") {
			layout.NoData = ptr(float64(rapid.SampledFrom([]int{low, 0, 7, high}).Draw(r, "nodata")))
		}
		if rapid.Bool().Draw(r, "scaled") {
			layout.Scalings = slices.Repeat([]raster.Scaling{{Scale: rapid.SampledFrom([]float64{1e-4, 2e-5, 2.75e-5}).Draw(r, "scale"), Offset: -0.1}}, 3)
		}
		// Few values, so that no-data numbers and zeros meet often.
		values := rapid.SliceOfN(rapid.SampledFrom([]float32{float32(low), 0, 1, 7, 8, 100, float32(high) - 1, float32(high)}), 600, 600).Draw(r, "values")
		s := open(t, scene(t, layout, func(b, x, y int) float32 { return values[b*200+y*20+x] }), raster.Options{})
		defer s.Close()
		w := raster.Window{X: 2, Y: 3, W: 15, H: 6}
		im, err := s.Read(w, nil)
		if err != nil {
			r.Fatal(err)
		}
		coding, err := s.Coding(nil)
		if err != nil {
			r.Fatal(err)
		}
		data, err := raster.EncodeTile(im, s.Info().Georef.Window(w), coding)
		if err != nil {
			r.Fatal(err)
		}
		back, err := raster.DecodeTile(data, megapixel)
		if err != nil {
			r.Fatal(err)
		}
		if g := georefOf(t, data); g.EPSG != 32632 || g.Transform != s.Info().Georef.Window(w).Transform {
			r.Errorf("lies at %+v", g)
		}
		if !slices.Equal(back.Bands, im.Bands) || !slices.Equal(back.Void, im.Void) {
			r.Errorf("bands %v, void %v, not %v", back.Bands, back.Void, im.Void)
		}
		step := 1.01 * coding.Scalings[0].Scale // a valid pixel beside the no-data number may move by one
		for b := range im.Planes {
			for i, v := range im.Planes[b] {
				d := math.Abs(float64(v - back.Planes[b][i]))
				if d > step || d > 0 && layout.NoData != nil {
					r.Fatalf("band %d pixel %d: %v came back as %v", b, i, v, back.Planes[b][i])
				}
			}
		}
	})
}

// georefOf reads an encoded tile as any other raster.
func georefOf(t *testing.T, data []byte) raster.Georef {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tile.tif")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, raster.Options{})
	defer s.Close()
	return s.Info().Georef
}

func TestReflectanceIsQuantisedToATenThousandth(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		im := vision.Image{W: 4, H: 2, Bands: []string{"red"}, Planes: [][]float32{rapid.SliceOfN(rapid.Float32Range(-0.0999, 6.4), 8, 8).Draw(r, "red")}}
		if rapid.Bool().Draw(r, "holes") {
			im.Void = []byte{0, 1, 0, 0, 1, 0, 0, 0}
			im.Planes[0][1], im.Planes[0][4] = 0, 0
		}
		data, err := raster.EncodeTile(im, raster.Georef{}, raster.Coding{})
		if err != nil {
			r.Fatal(err)
		}
		back, err := raster.DecodeTile(data, 8)
		if g := georefOf(t, data); err != nil || g.Known() {
			r.Fatal(err, g)
		}
		if !slices.Equal(back.Void, im.Void) {
			r.Errorf("void %v, not %v", back.Void, im.Void)
		}
		for i, v := range im.Planes[0] {
			if math.Abs(float64(v-back.Planes[0][i])) > 0.000051 {
				r.Errorf("%v came back as %v", v, back.Planes[0][i])
			}
		}
	})
}

func TestValuesThatDoNotFitAreHeldAtTheLimits(t *testing.T) {
	im := vision.Image{W: 4, H: 1, Bands: []string{"red"}, Planes: [][]float32{{-5, 100, float32(math.NaN()), float32(math.Inf(-1))}}}
	data, err := raster.EncodeTile(im, raster.Georef{}, raster.Coding{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := raster.DecodeTile(data, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{-0.0999, 6.4535, -0.0999, -0.0999} {
		if math.Abs(float64(back.Planes[0][i])-want) > 1e-6 || back.Void != nil {
			t.Errorf("pixel %d is %v", i, back.Planes[0][i])
		}
	}
}

func TestTilesThatAreTooLargeAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	im := vision.Image{W: 64, H: 64, Bands: []string{"red"}, Planes: [][]float32{make([]float32, 64*64)}}
	data, err := raster.EncodeTile(im, raster.Georef{}, raster.Coding{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raster.DecodeTile(data, 64*64-1); err == nil {
		t.Error("a tile over the limit is decoded")
	}
	for _, bad := range [][]byte{nil, []byte("II"), []byte("hello, world"), data[:len(data)/2], append([]byte("MM"), data[2:]...)} {
		if _, err := raster.DecodeTile(bad, megapixel); err == nil {
			t.Errorf("%d bytes are decoded", len(bad))
		}
	}
	for _, bad := range []vision.Image{{}, {W: 2, H: 2, Bands: []string{"red"}, Planes: [][]float32{{1}}}, {W: 1, H: 1, Planes: [][]float32{{1}}}} {
		if _, err := raster.EncodeTile(bad, raster.Georef{}, raster.Coding{}); err == nil {
			t.Errorf("%+v is encoded", bad)
		}
	}
}

func FuzzDecodeTile(f *testing.F) {
	im := vision.Image{W: 16, H: 16, Bands: []string{"red", "nir"}, Planes: [][]float32{make([]float32, 256), make([]float32, 256)}}
	for i := range 256 {
		im.Planes[0][i], im.Planes[1][i] = float32(i)/256, 1-float32(i)/256
	}
	g, err := raster.UTM(32, true, 500000, 5400000, 10)
	if err != nil {
		f.Fatal(err)
	}
	for _, place := range []raster.Georef{{}, g} {
		data, err := raster.EncodeTile(im, place, raster.Coding{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("II*\x00\x08\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := raster.DecodeTile(data, 4096)
		if err != nil {
			return
		}
		if im.W*im.H > 4096 || len(im.Planes) == 0 || len(im.Planes[0]) != im.W*im.H {
			t.Errorf("%d x %d, %d planes", im.W, im.H, len(im.Planes))
		}
	})
}

func BenchmarkTile(b *testing.B) {
	path := scene(b, raster.Layout{Width: 256, Height: 256, Bands: six, DataType: "UInt16", NoData: ptr(0.0), Georef: utm(b)},
		func(band, x, y int) float32 { return float32(1000 + 300*band + (x*x+y*7)%211 + (x*7919+y*104729)%53) })
	s := open(b, path, raster.Options{})
	w := raster.Window{W: 256, H: 256}
	im, err := s.Read(w, nil)
	if err != nil {
		b.Fatal(err)
	}
	coding, _ := s.Coding(nil)
	data, err := raster.EncodeTile(im, utm(b), coding)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			raster.EncodeTile(im, utm(b), coding)
		}
		b.ReportMetric(float64(len(data))/float64(256*256*6*2), "ratio")
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			raster.DecodeTile(data, 256*256)
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			s.Read(w, nil)
		}
	})
}
