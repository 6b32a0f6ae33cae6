package raster_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
)

var eightGroups = []string{"BAND_C", "BAND_B", "BAND_G", "BAND_Y", "BAND_R", "BAND_RE", "BAND_N", "BAND_N2"}

// imdText is an IMD file; every band's count is a tenth of its bandwidth in radiance.
func imdText(craft, id string, groups []string) string {
	text := "version = \"28.3\";\nbandId = \"" + id + "\";\nradiometricEnhancement = \"Off\";\n"
	for _, g := range groups {
		text += "BEGIN_GROUP = " + g + "\n\tULLon = 10.1;\n\tabsCalFactor = 5.000000e-03;\n\teffectiveBandwidth = 5.000000e-02;\nEND_GROUP = " + g + "\n"
	}
	return text + "BEGIN_GROUP = IMAGE_1\n\tsatId = \"" + craft + "\";\n\tTLCTime = 2016-07-04T22:32:24.564050Z;\n\tmeanSunEl = 30.0;\nEND_GROUP = IMAGE_1\nBEGIN_GROUP = IMAGE_2\n\tmeanSunEl = 9.0;\nEND_GROUP = IMAGE_2\nEND;\n"
}

func isdText(craft string, groups []string, tiles string) string {
	text := "<?xml version=\"1.0\" encoding=\"UTF-8\"?><isd><IMD><BANDID>Multi</BANDID>"
	for _, g := range groups {
		text += "<" + g + "><ABSCALFACTOR>5.0e-03</ABSCALFACTOR><EFFECTIVEBANDWIDTH>5.0e-02</EFFECTIVEBANDWIDTH></" + g + ">"
	}
	return text + "<IMAGE><SATID>" + craft + "</SATID><TLCTIME>2016-07-04T22:32:24.564050Z</TLCTIME><MEANSUNEL>30.0</MEANSUNEL></IMAGE></IMD>" + tiles + "</isd>"
}

// On 4 July 2016 the Earth was at its farthest, 1.01675 astronomical units (JPL Horizons); the sun stood at 30°.
func worldviewReflectance(count, sun float64) float64 {
	return count * 0.1 * math.Pi * 1.01675 * 1.01675 / (sun * 0.5)
}

func TestWorldViewIsCalibratedByItsMetadata(t *testing.T) {
	stored := []float32{100, 200, 300, 400, 500, 600, 700, 800}
	const name = "16JUL04223224-M2AS-055675002010_01_P001"
	eight := want{bands: append(append([]string{}, four...), "nir09"), sensor: "worldview-2", level: "L1", when: "2016-07-04T22:32:24", from: raster.FromProduct,
		values: []float64{worldviewReflectance(200, 2007.27), worldviewReflectance(300, 1829.62), worldviewReflectance(500, 1538.85), worldviewReflectance(700, 1053.21)}}
	eight.bands = four
	for form, text := range map[string]string{"IMD": imdText("WV02", "Multi", eightGroups), "XML": isdText("WV02", eightGroups, "")} {
		dir := filepath.Join(t.TempDir(), "055675002010_01_P001_MUL")
		tif := stack(t, filepath.Join(dir, name+".TIF"), "UInt16", make([]string, 8), 0, stored...)
		meta := write(t, filepath.Join(dir, name+"."+form), text)
		write(t, filepath.Join(dir, "README.XML"), "<readme></readme>")
		for _, at := range []string{dir, tif, meta} {
			eight.of(t, at)
		}
	}
	for craft, sun := range map[string][4]float64{"WV03": {2004.61, 1830.18, 1535.33, 1055.94}, "GE01": {1993.18, 1828.83, 1491.49, 1022.58}, "QB02": {1949.59, 1823.64, 1553.78, 1102.85}} {
		dir := t.TempDir()
		stack(t, filepath.Join(dir, name+".TIF"), "UInt16", make([]string, 4), 0, stored[:4]...)
		write(t, filepath.Join(dir, name+".IMD"), imdText(craft, "BGRN", []string{"BAND_B", "BAND_G", "BAND_R", "BAND_N"}))
		w := eight
		w.sensor, w.values = map[string]string{"WV03": "worldview-3", "GE01": "geoeye-1", "QB02": "quickbird-2"}[craft], nil
		for i, s := range sun {
			w.values = append(w.values, worldviewReflectance(float64(stored[i]), s))
		}
		w.of(t, dir)
	}
}

func TestWorldViewsTilesMakeOneScene(t *testing.T) {
	const stem, order = "16JUL04223224-M2AS-055675002010_01_P001", "055675002010"
	groups := []string{"BAND_B", "BAND_G", "BAND_R", "BAND_N"}
	til := "bandId = \"BGRN\";\nnumTiles = 2;\n"
	xml := "<TIL><NUMTILES>2</NUMTILES>"
	for form := range 2 {
		dir := filepath.Join(t.TempDir(), order)
		for n, x := range []int{0, 60} {
			file := fmt.Sprintf("16JUL04223224-M2AS_R1C%d-055675002010_01_P001.TIF", n+1)
			g := utm(t).Window(raster.Window{X: x})
			made := scene(t, raster.Layout{Width: 60, Height: 60, Bands: make([]string, 4), DataType: "UInt16", Georef: g}, func(b, _, _ int) float32 { return float32(1000*(n+1) + b) })
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(made, filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
			if form == 0 {
				til += fmt.Sprintf("BEGIN_GROUP = TILE_%d\n\tfilename = %q;\n\tULColOffset = %d;\n\tULRowOffset = 0;\nEND_GROUP = TILE_%[1]d\n", n+1, file, x)
				xml += fmt.Sprintf("<TILE><FILENAME>%s</FILENAME><ULCOLOFFSET>%d</ULCOLOFFSET><ULROWOFFSET>0</ULROWOFFSET></TILE>", file, x)
			}
		}
		if form == 0 {
			write(t, filepath.Join(dir, stem+".IMD"), imdText("WV02", "BGRN", groups))
			write(t, filepath.Join(dir, stem+".TIL"), til)
		} else {
			write(t, filepath.Join(dir, stem+".XML"), isdText("WV02", groups, xml+"</TIL>"))
		}
		for _, at := range []string{dir, filepath.Join(dir, stem+map[int]string{0: ".TIL", 1: ".XML"}[form])} {
			s := open(t, at, raster.Options{})
			info := s.Info()
			im, err := s.Read(raster.Window{W: 120, H: 60}, []string{"blue", "nir"})
			if err != nil || info.Width != 120 || info.Height != 60 || info.Georef.Transform != utm(t).Transform {
				t.Fatalf("%s: %v, %+v", at, err, info)
			}
			for i, c := range []struct{ plane, pixel, count int }{{0, 0, 1000}, {0, 119, 2000}, {1, 119, 2003}} {
				want := worldviewReflectance(float64(c.count), []float64{2007.27, 1053.21}[c.plane])
				if got := float64(im.Planes[c.plane][c.pixel]); math.Abs(got-want) > 1e-3 {
					t.Errorf("%s: %d: %v, want %v", at, i, got, want)
				}
			}
		}
		if one := open(t, filepath.Join(dir, "16JUL04223224-M2AS_R1C2-055675002010_01_P001.TIF"), raster.Options{}); one.Info().Width != 60 || one.Info().ScaleFrom != raster.FromProduct {
			t.Errorf("one tile: %+v", one.Info())
		}
	}
}

func TestWorldViewSaysWhatItsMetadataLack(t *testing.T) {
	groups := []string{"BAND_B", "BAND_G", "BAND_R", "BAND_N"}
	good := imdText("WV02", "BGRN", groups)
	for name, c := range map[string]struct{ text, says string }{
		"another satellite": {strings.Replace(good, "WV02", "XX01", 1), "irradiance"},
		"no sun":            {strings.Replace(good, "meanSunEl = 30.0", "meanSunEl = -999", 1), "meanSunEl"},
		"no calibration":    {strings.Replace(good, "absCalFactor = 5.000000e-03", "absCalFactor = x", 1), "absCalFactor"},
		"no bandwidth":      {strings.Replace(good, "effectiveBandwidth = 5.000000e-02", "effectiveBandwidth = 0", 1), "absCalFactor"},
		"no time":           {strings.Replace(good, "TLCTime", "x", 1), "when it was taken"},
		"stretched":         {strings.Replace(good, `"Off"`, `"DRA"`, 1), "stretched"},
	} {
		dir := t.TempDir()
		tif := stack(t, filepath.Join(dir, "a.tif"), "UInt16", make([]string, 4), 0, 100)
		write(t, filepath.Join(dir, "a.imd"), c.text)
		s := open(t, tif, raster.Options{})
		if guessed := fmt.Sprint(s.Info().Assumed()); !strings.Contains(guessed, c.says) {
			t.Errorf("%s: %s, which does not say %q", name, guessed, c.says)
		}
	}
	tile := "BEGIN_GROUP = TILE_1\n\tfilename = \"a_R1C1.tif\";\n\tULColOffset = %s;\n\tULRowOffset = 0;\nEND_GROUP = TILE_1\n"
	for name, c := range map[string]struct{ imd, til, says string }{
		"bands that are not there": {imdText("WV02", "Multi", eightGroups), "", "4 bands, where its metadata name 8"},
		"panchromatic":             {imdText("WV02", "P", []string{"BAND_P"}), "", "no multispectral product"},
		"a tile far away":          {good, fmt.Sprintf(tile, "9999999"), "less than a quarter"},
		"a tile at no place":       {good, fmt.Sprintf(tile, "1e99"), "no place"},
		"a tile that leads out":    {good, strings.Replace(fmt.Sprintf(tile, "0"), "a_R1C1.tif", "../../../../etc/passwd", 1), "is not beside"},
		"nothing":                  {"\x00\x01", "", "no readable IMD file"},
		"entities":                 {`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><isd>&a;</isd>`, "", "no readable metadata"},
		"deep":                     {strings.Repeat("<isd>", 100_000), "", "one in the other"},
	} {
		dir := t.TempDir()
		stack(t, filepath.Join(dir, "a_R1C1.tif"), "UInt16", make([]string, 4), 0, 100)
		write(t, filepath.Join(dir, "a.IMD"), c.imd)
		if c.til != "" {
			write(t, filepath.Join(dir, "a.TIL"), c.til)
		}
		if s, err := raster.Open(dir, raster.Options{}); err == nil {
			s.Close()
			t.Errorf("%s: it opens", name)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, which does not say %q", name, err, c.says)
		}
	}
}
