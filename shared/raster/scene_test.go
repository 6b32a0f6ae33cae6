package raster_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloudcanvas/shared/raster"
)

var six = []string{"blue", "green", "red", "nir", "swir16", "swir22"}

func TestASceneKeepsItsBandsScaleAndPlace(t *testing.T) {
	scaling := raster.Scaling{Scale: 0.0001, Offset: -0.1}
	path := scene(t, raster.Layout{Width: 300, Height: 200, Bands: six, DataType: "UInt16", NoData: ptr(0.0), Georef: utm(t),
		Scalings: slices.Repeat([]raster.Scaling{scaling}, 6)},
		func(b, x, y int) float32 { return float32(1000*b + x + y) })
	s := open(t, path, raster.Options{})
	info := s.Info()
	if info.Width != 300 || info.Height != 200 || !slices.Equal(info.Bands, six) || info.DataType != "UInt16" ||
		info.Georef.EPSG != 32632 || info.Georef.Transform != utm(t).Transform || info.ScaleFrom != "file" || *info.NoData != 0 {
		t.Errorf("%+v", info)
	}
	im, err := s.Read(raster.Window{X: 10, Y: 20, W: 30, H: 40}, []string{"nir", "BLUE"})
	if err != nil {
		t.Fatal(err)
	}
	if im.W != 30 || im.H != 40 || !slices.Equal(im.Bands, []string{"nir", "blue"}) || im.Void != nil {
		t.Errorf("%d x %d, %v, void %v", im.W, im.H, im.Bands, im.Void != nil)
	}
	at := 7*30 + 5 // column 15, row 27
	if got, want := im.Plane("nir")[at], float32(0.2042); math.Abs(float64(got-want)) > 1e-6 {
		t.Errorf("nir is %v, not %v", got, want)
	}
}

func TestPixelsWithoutDataAreMarkedAndZero(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		layout raster.Layout
		pixels [4][3]float32 // of four pixels in a row, the bands
		void   []byte
	}{
		"no-data number in one of the bands": {
			raster.Layout{DataType: "UInt16", NoData: ptr(0.0)}, [4][3]float32{{5, 5, 5}, {0, 5, 5}, {0, 0, 0}, {9, 9, 0}}, []byte{0, 1, 1, 1}},
		"8 bits: black in one band is a colour": {
			raster.Layout{DataType: "Byte", NoData: ptr(0.0)}, [4][3]float32{{5, 5, 5}, {0, 5, 5}, {0, 0, 0}, {9, 9, 0}}, []byte{0, 0, 1, 0}},
		"zeros in all bands, none declared": {
			raster.Layout{DataType: "UInt16"}, [4][3]float32{{5, 5, 5}, {0, 5, 5}, {0, 0, 0}, {9, 9, 0}}, []byte{0, 0, 1, 0}},
		"not a number": {
			raster.Layout{DataType: "Float32"}, [4][3]float32{{.5, .5, .5}, {0, 0, 0}, {nan, .5, .5}, {.5, .5, float32(math.Inf(1))}}, []byte{0, 0, 1, 1}},
		"NaN declared": {
			raster.Layout{DataType: "Float32", NoData: ptr(math.NaN())}, [4][3]float32{{.5, .5, .5}, {0, 0, 0}, {nan, nan, nan}, {.5, .5, .5}}, []byte{0, 0, 1, 0}},
		"a negative number": {
			raster.Layout{DataType: "Float32", NoData: ptr(-9999.0)}, [4][3]float32{{.5, .5, .5}, {0, 0, 0}, {-9999, -9999, -9999}, {.5, -9999, .5}}, []byte{0, 0, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c.layout.Width, c.layout.Height, c.layout.Bands = 4, 1, []string{"blue", "green", "red"}
			s := open(t, scene(t, c.layout, func(b, x, y int) float32 { return c.pixels[x][b] }), raster.Options{})
			im, err := s.Read(raster.Window{W: 4, H: 1}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(im.Void, c.void) {
				t.Errorf("void %v, not %v", im.Void, c.void)
			}
			for i, v := range c.void {
				for b, plane := range im.Planes {
					if v != 0 && plane[i] != 0 || plane[i] != plane[i] {
						t.Errorf("pixel %d of band %d is %v", i, b, plane[i])
					}
				}
			}
		})
	}
}

func TestStoredNumbersBecomeReflectance(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		kind    string
		stored  float32
		options raster.Options
		want    float64
		from    string
	}{
		"8 bits":                      {"a.tif", "Byte", 51, raster.Options{}, 0.2, "picture"},
		"8 bits, scale given":         {"a.tif", "Byte", 50, raster.Options{ReflectanceScale: 0.004}, 0.2, "option"},
		"16 bits, nothing said":       {"a.tif", "UInt16", 2000, raster.Options{}, 0.2, "assumed"},
		"16 bits, scale given":        {"a.tif", "UInt16", 2000, raster.Options{ReflectanceScale: 0.001}, 2, "option"},
		"floats of reflectance":       {"a.tif", "Float32", 0.2, raster.Options{}, 0.2, "reflectance"},
		"floats of percent":           {"a.tif", "Float32", 5, raster.Options{ReflectanceScale: 0.01}, 0.05, "option"},
		"floats of a stored product":  {"a.tif", "Float32", 2000, raster.Options{}, 0.2, "assumed"},
		"Landsat level 1":             {"LC08_L1TP_224078_20200518_20200518_01_RT.TIF", "UInt16", 15000, raster.Options{}, 0.2, "product name"},
		"Landsat, but a person knows": {"LC08_L1TP_224078_20200518_20200518_01_RT.TIF", "UInt16", 2000, raster.Options{ReflectanceScale: 0.0001}, 0.2, "option"},
		"Sentinel-2 before 2022":      {"S2A_MSIL1C_20200110T000000_N0208_R096_T19HGU_20200110T000000.tif", "UInt16", 2000, raster.Options{}, 0.2, "product name"},
		"Sentinel-2 since 2022":       {"S2B_MSIL2A_20220601T101559_N0400_R065_T32TQM_20220601T122146.tif", "UInt16", 3000, raster.Options{}, 0.2, "product name"},
		"Sentinel-2 with the offset taken off": {"S2B_MSIL2A_20220601T101559_N0400_R065_T32TQM_20220601T122146.tif", "UInt16", 2000,
			raster.Options{ReflectanceOffset: ptr(0.0)}, 0.2, "option"},
		"HLS":             {"HLS.S30.T32TQM.2022152T101559.v2.0.tif", "Int16", 2000, raster.Options{}, 0.2, "product name"},
		"Landsat level 2": {"LC09_L2SP_224078_20220518_20220518_02_T1.TIF", "UInt16", 20000, raster.Options{}, 0.35, "product name"},
	} {
		t.Run(name, func(t *testing.T) {
			made := scene(t, raster.Layout{Width: 40, Height: 40, Bands: []string{"green"}, DataType: c.kind}, func(b, x, y int) float32 { return c.stored })
			path := filepath.Join(filepath.Dir(made), c.file)
			if err := os.Rename(made, path); err != nil {
				t.Fatal(err)
			}
			s := open(t, path, c.options)
			im, err := s.Read(raster.Window{W: 1, H: 1}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(float64(im.Planes[0][0])-c.want) > 1e-6 || s.Info().ScaleFrom != c.from {
				t.Errorf("%v from %s, not %v from %s", im.Planes[0][0], s.Info().ScaleFrom, c.want, c.from)
			}
		})
	}
}

func TestBandsAreKnownByManyNames(t *testing.T) {
	for _, c := range []struct{ described, want string }{
		{"blue green red nir swir16 swir22", "blue green red nir swir16 swir22"},
		{"Blue GREEN Red Near_Infrared SWIR1 SWIR-2", "blue green red nir swir16 swir22"},
		{"B02 B03 B04 B08 B11 B12", "blue green red nir swir16 swir22"},
		{"B02 B03 B04 B8A B11 B12", "blue green red nir swir16 swir22"},
		{"b2 b3 b4 b8 b8a b11 b12", "blue green red nir nir08 swir16 swir22"},
		{"SR_B2 SR_B3 SR_B4 SR_B5 SR_B6 SR_B7", "blue green red nir swir16 swir22"},
		{"SR_B1 SR_B2 SR_B3 SR_B4 SR_B5 SR_B7", "blue green red nir swir16 swir22"},
		{"B2 B3 B4", "blue green red"},
		{"B02 B03 B04 B08", "blue green red nir"},
		{"B4,_central_wavelength_665_nm B3,_x B2,_x B8,_x", "red green blue nir"},
		{"LC08_L2SP_224078_SR_B4 LC08_L2SP_224078_SR_B5", "red nir"},
		{"T19HGU_20200101T1_B04_10m T19HGU_20200101T1_B8A_20m", "red nir"},
		{"elevation slope", "elevation slope"},
	} {
		names := strings.Fields(c.described)
		for i, n := range names {
			names[i] = strings.ReplaceAll(n, "_x", " x")
		}
		s := open(t, scene(t, raster.Layout{Width: 4, Height: 4, Bands: names, DataType: "UInt16"}, func(b, x, y int) float32 { return 1 }), raster.Options{Bands: []string{"red"}})
		if got := strings.Join(s.Info().Bands, " "); got != c.want {
			t.Errorf("%s is read as %s, not %s", c.described, got, c.want)
		}
	}
}

func TestBandsWithoutNamesAreNamedByTheUser(t *testing.T) {
	none := scene(t, raster.Layout{Width: 4, Height: 4, Bands: make([]string, 8), DataType: "Float32"}, func(b, x, y int) float32 { return 1 })
	for _, c := range []struct {
		given []string
		want  string
	}{
		{nil, "band1 band2 band3 band4 band5 band6 band7 band8"},
		{six, "blue green red nir swir16 swir22 band7 band8"},
		{[]string{"Red", "", "B02"}, "red band2 b02 band4 band5 band6 band7 band8"},
	} {
		if got := strings.Join(open(t, none, raster.Options{Bands: c.given}).Info().Bands, " "); got != c.want {
			t.Errorf("%v: %s, not %s", c.given, got, c.want)
		}
	}
	s := open(t, none, raster.Options{Bands: six[:3]})
	_, err := s.Read(raster.Window{W: 1, H: 1}, six)
	var missing *raster.BandError
	if !errors.As(err, &missing) || !slices.Equal(missing.Missing, six[3:]) || !strings.Contains(err.Error(), "blue, green, red") {
		t.Errorf("%v", err)
	}
	if err := s.Info().Require("nir"); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}

func TestPicturesAreNamedByTheirColours(t *testing.T) {
	s := open(t, asset(t, "scenes/RGB.byte.tif"), raster.Options{Bands: six})
	if got := strings.Join(s.Info().Bands, " "); got != "red green blue" || s.Info().Georef.EPSG != 32618 {
		t.Errorf("%s, %+v", got, s.Info().Georef)
	}
	im, err := s.Read(raster.Window{W: 791, H: 718}, []string{"blue", "green", "red"})
	if err != nil {
		t.Fatal(err)
	}
	void := 0
	for _, v := range im.Void {
		void += int(v)
	}
	if share := float64(void) / float64(791*718); share < 0.3 || share > 0.5 {
		t.Errorf("%.3f of the picture has no data", share)
	}
}

func TestRealPatchesAreReflectanceAsTheyAre(t *testing.T) {
	s := open(t, asset(t, "scenes/l8biome_Water_01_0922.tif"), raster.Options{Bands: six})
	im, err := s.Read(raster.Window{W: 256, H: 256}, six)
	if err != nil || s.Info().ScaleFrom != "reflectance" {
		t.Fatal(err, s.Info().ScaleFrom)
	}
	if v := im.Plane("blue")[1000]; v < 0.02 || v > 1 {
		t.Errorf("blue reflectance %v", v)
	}
}

func TestABrokenFileIsAnErrorNotACrash(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.tif")
	os.WriteFile(text, []byte("this is not a raster\n"), 0o644)
	empty := filepath.Join(dir, "empty.tif")
	os.WriteFile(empty, nil, 0o644)
	for _, path := range []string{text, empty, dir, filepath.Join(dir, "missing.tif")} {
		if _, err := raster.Open(path, raster.Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, creation := range [][]string{nil, {"TILED=YES"}, {"COMPRESS=DEFLATE"}, {"TILED=YES", "COMPRESS=LZW"}} {
		whole := scene(t, raster.Layout{Width: 1024, Height: 1024, Bands: six[:2], DataType: "UInt16", Creation: creation},
			func(b, x, y int) float32 { return float32((x*7919 + y*104729 + b) % 65521) })
		data, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		cut := filepath.Join(dir, "cut.tif")
		failed, read := 0, 0
		for _, share := range []float64{0.01, 0.3, 0.6, 0.95} {
			os.WriteFile(cut, data[:int(share*float64(len(data)))], 0o644)
			s, err := raster.Open(cut, raster.Options{})
			if err != nil {
				failed++
				continue
			}
			for tile := range (raster.Grid{Width: 1024, Height: 1024, Size: 512}).Tiles() {
				if _, err := s.Read(tile.Window, nil); err != nil {
					failed++
					if len(err.Error()) > 600 {
						t.Errorf("too long: %v", err)
					}
				} else {
					read++
				}
			}
			s.Close()
		}
		if failed < 4 {
			t.Errorf("%v: %d windows failed, %d were read", creation, failed, read)
		}
		t.Logf("%v: %d windows failed, %d were read", creation, failed, read)
	}
}

func TestWindowsOutsideTheSceneAndClosedScenesAreRefused(t *testing.T) {
	s := open(t, scene(t, raster.Layout{Width: 8, Height: 8, Bands: []string{"red"}, DataType: "Byte"}, func(b, x, y int) float32 { return 1 }), raster.Options{})
	for _, w := range []raster.Window{{}, {X: -1, W: 2, H: 2}, {X: 7, W: 2, H: 2}, {Y: 1, W: 8, H: 8}, {W: math.MaxInt, H: 1}} {
		if _, err := s.Read(w, nil); err == nil {
			t.Errorf("%v is read", w)
		}
	}
	s.Close()
	if _, err := s.Read(raster.Window{W: 1, H: 1}, nil); err == nil || s.Close() != nil {
		t.Error("a closed scene is read, or can't be closed again")
	}
}

func TestManyGoroutinesMayReadOneScene(t *testing.T) {
	s := open(t, scene(t, raster.Layout{Width: 256, Height: 256, Bands: six, DataType: "UInt16"}, func(b, x, y int) float32 { return float32(x + y) }), raster.Options{})
	var wg sync.WaitGroup
	for tile := range (raster.Grid{Width: 256, Height: 256, Size: 64}).Tiles() {
		wg.Go(func() {
			im, err := s.Read(tile.Window, nil)
			if err != nil {
				t.Error(err)
			} else if got := im.Planes[3][65]; math.Abs(float64(got)-float64(tile.Window.X+tile.Window.Y+2)*1e-4) > 1e-6 {
				t.Errorf("%s: %v", tile.Name(), got)
			}
		})
	}
	wg.Wait()
}
