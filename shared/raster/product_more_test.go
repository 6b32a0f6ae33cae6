package raster_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
)

// stack writes a file of bands of one stored number each, the first pixel without data.
func stack(t *testing.T, path, kind string, words []string, none float32, stored ...float32) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	made := scene(t, raster.Layout{Width: 60, Height: 60, Bands: words, DataType: kind, Georef: utm(t)}, func(b, x, y int) float32 {
		if x == 0 && y == 0 {
			return none
		}
		return stored[b%len(stored)]
	})
	if err := os.Rename(made, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// want is what a product is read as.
type want struct {
	bands               []string // the first of them
	sensor, level, when string
	from                string // of reflectance
	values              []float64
	warnings            int
}

func (w want) of(t *testing.T, path string) {
	t.Helper()
	s := open(t, path, raster.Options{})
	info := s.Info()
	if !slices.Equal(info.Bands[:len(w.bands)], w.bands) || info.Sensor != w.sensor || info.Level != w.level || info.ScaleFrom != w.from || len(info.Assumed()) != w.warnings ||
		w.when != "" && info.Captured.UTC().Format("2006-01-02T15:04:05") != w.when {
		t.Errorf("%s: %+v", filepath.Base(path), info)
	}
	im, err := s.Read(raster.Window{W: 60, H: 60}, w.bands)
	if err != nil {
		t.Fatal(err)
	}
	for b, v := range w.values {
		if got := float64(im.Planes[b][59*60+59]); math.Abs(got-v) > 1e-4 {
			t.Errorf("%s: band %s is %v, not %v", filepath.Base(path), w.bands[b], got, v)
		}
	}
	if im.Void == nil || im.Void[0] != 1 || im.Void[59*60+59] != 0 {
		t.Errorf("%s: the pixel without data is not marked", filepath.Base(path))
	}
}

var four = []string{"blue", "green", "red", "nir"}

func TestPlanetScopeIsReadAsItComes(t *testing.T) {
	dir := t.TempDir()
	none := make([]string, 8)
	sr := stack(t, filepath.Join(dir, "20210915_175131_60_2440_3B_AnalyticMS_SR_8b_clip.tif"), "UInt16", none, 0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000)
	other := stack(t, filepath.Join(dir, "20210916_175131_60_2440_3B_AnalyticMS.tif"), "UInt16", none[:4], 0, 5000)
	write(t, filepath.Join(dir, "20210916_175131_60_2440_3B_AnalyticMS_metadata.xml"), `<ps:EarthObservation xmlns:ps="p" xmlns:gml="g" xmlns:eop="e"><gml:metaDataProperty><ps:EarthObservationMetaData></ps:EarthObservationMetaData></gml:metaDataProperty>
<gml:using><eop:EarthObservationEquipment><eop:acquisitionParameters><ps:Acquisition><ps:acquisitionDateTime>2021-09-16T17:51:32+00:00</ps:acquisitionDateTime></ps:Acquisition></eop:acquisitionParameters></eop:EarthObservationEquipment></gml:using>
<gml:resultOf><ps:EarthObservationResult>`+perBand(4, `<ps:bandSpecificMetadata><ps:bandNumber>%[1]d</ps:bandNumber><ps:reflectanceCoefficient>%[1]de-05</ps:reflectanceCoefficient></ps:bandSpecificMetadata>`)+`</ps:EarthObservationResult></gml:resultOf></ps:EarthObservation>`)
	want{bands: four, sensor: "planetscope", level: "SR", when: "2021-09-15T17:51:31", from: raster.FromProduct, values: []float64{.2, .4, .6, .8}}.of(t, sr)
	want{bands: four, sensor: "planetscope", level: "3B", when: "2021-09-16T17:51:32", from: raster.FromProduct, values: []float64{.05, .1, .15, .2}}.of(t, other)
	os.Remove(filepath.Join(dir, "20210916_175131_60_2440_3B_AnalyticMS_metadata.xml"))
	want{bands: four, sensor: "planetscope", level: "3B", when: "2021-09-16T17:51:31", from: raster.FromAssumed, values: []float64{.5}, warnings: 2}.of(t, other)
}

func perBand(n int, format string) (text string) {
	for i := range n {
		text += fmt.Sprintf(format, i+1)
	}
	return text
}

func TestNAIPIsReadAsItComes(t *testing.T) {
	dir := t.TempDir()
	none := make([]string, 4)
	now := stack(t, filepath.Join(dir, "m_4207324_se_18_060_20210910.tif"), "Byte", none, 0, 51, 102, 153, 204)
	old := stack(t, filepath.Join(dir, "m_4207324_se_18_1_20051001.tif"), "Byte", none[:3], 0, 51, 102, 153)
	want{bands: four, sensor: "naip", when: "2021-09-10T00:00:00", from: raster.Picture, values: []float64{.6, .4, .2, .8}}.of(t, now)
	want{bands: four[:3], sensor: "naip", when: "2005-10-01T00:00:00", from: raster.Picture, values: []float64{.6, .4, .2}}.of(t, old)
}

func TestMODISIsReadAsItComes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "order")
	words := make([]string, 7)
	for b := range 7 {
		stack(t, filepath.Join(dir, fmt.Sprintf("MOD09A1.061_sur_refl_b%02d_doy2022152000000_aid0001.tif", b+1)), "Int16", []string{""}, -28672, float32(1000*(b+1)))
		words[b] = fmt.Sprintf("sur_refl_b%02d", b+1)
	}
	w := want{bands: six, sensor: "modis", level: "L2", when: "2022-06-01T00:00:00", from: raster.FromProduct, values: []float64{.3, .4, .1, .2, .6, .7}}
	w.of(t, dir)
	w.from, w.level, w.when, w.sensor, w.warnings = raster.FromBands, "", "", "", 1 // the time
	w.bands, w.values = []string{"red", "nir", "blue", "green"}, []float64{.1, .2, .3, .4}
	w.of(t, stack(t, filepath.Join(t.TempDir(), "export.tif"), "Int16", words, -28672, 1000, 2000, 3000, 4000, 5000, 6000, 7000))
}

func TestStacksOfLandsatAreToldByTheirBands(t *testing.T) {
	words := []string{"SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7"}
	for _, kind := range []string{"UInt16", "Float32"} {
		want{bands: six, from: raster.FromBands, values: []float64{.2}, warnings: 1}.of(t, stack(t, filepath.Join(t.TempDir(), "ee.tif"), kind, words, float32(map[string]float64{"UInt16": 0, "Float32": math.NaN()}[kind]), 14545))
	}
}

func TestLandsatWithoutMetadataSaysWhatIsMissing(t *testing.T) {
	for name, w := range map[string]want{
		"LC08_L1TP_195025_20180601_20180615_01_T1_B%d.TIF":       {level: "L1", from: raster.FromProduct, warnings: 1},
		"LC08_L1TP_195025_20180601_20180615_01_T1_sr_band%d.tif": {level: "L2", from: raster.FromProduct},
	} {
		dir := filepath.Join(t.TempDir(), "x")
		for b := range 7 {
			none, stored := float32(0), float32(15000)
			if w.level == "L2" {
				none, stored = -9999, 2000
			}
			stack(t, filepath.Join(dir, fmt.Sprintf(name, b+1)), "Int16", []string{""}, none, stored)
		}
		w.bands, w.sensor, w.when, w.values = six, "landsat-8", "2018-06-01T00:00:00", []float64{.2}
		w.of(t, dir)
	}
}

// Each Landsat is called by its own number, and numbers of bands mean what they mean on its instrument.
func TestEachLandsatIsCalledByItsName(t *testing.T) {
	for craft, sensor := range map[string]string{"LC09": "landsat-9", "LC08": "landsat-8", "LE07": "landsat-7", "LT05": "landsat-5", "LT04": "landsat-4"} {
		dir := filepath.Join(t.TempDir(), "x")
		for b := range 7 {
			stack(t, filepath.Join(dir, fmt.Sprintf("%s_L1TP_195025_20120601_20200615_02_T1_B%d.TIF", craft, b+1)), "UInt16", []string{""}, 0, 15000)
		}
		info := open(t, dir, raster.Options{}).Info()
		if info.Sensor != sensor || !slices.Equal(info.Bands[:6], six) {
			t.Errorf("%s: %s %v, want %s", craft, info.Sensor, info.Bands, sensor)
		}
	}
	dir := filepath.Join(t.TempDir(), "x") // the older instrument sees green, red and two infrared bands
	for b := range 4 {
		stack(t, filepath.Join(dir, fmt.Sprintf("LM05_L1TP_195025_20120601_20200615_02_T2_B%d.TIF", b+1)), "Byte", []string{""}, 0, 100)
	}
	info := open(t, dir, raster.Options{}).Info()
	if info.Sensor != "landsat-5" || !slices.Equal(info.Bands, []string{"green", "red", "nir", "nir08"}) {
		t.Errorf("LM05: %s %v", info.Sensor, info.Bands)
	}
}

func TestASTACItemNamesItsBands(t *testing.T) {
	dir := t.TempDir()
	for i, name := range six {
		stack(t, filepath.Join(dir, "data", name+".tif"), "UInt16", []string{""}, 0, float32(1000*(i+2)))
	}
	stack(t, filepath.Join(dir, "data", "visual.tif"), "Byte", make([]string, 3), 0, 9)
	assets := `"visual":{"href":"data/visual.tif","roles":["visual"],"eo:bands":[{"common_name":"red"},{"common_name":"green"},{"common_name":"blue"}]}`
	now := assets
	for _, name := range six {
		assets += fmt.Sprintf(`,%[1]q:{"href":"./data/%[1]s.tif","roles":["data"],"gsd":10,"eo:bands":[{"name":"B","common_name":%[1]q}],"raster:bands":[{"scale":0.0001,"offset":-0.1,"nodata":0}]}`, name)
		now += fmt.Sprintf(`,%[1]q:{"href":"data/%[1]s.tif","nodata":0,"bands":[{"name":"B","eo:common_name":%[1]q,"raster:scale":0.0001,"raster:offset":-0.1}]}`, name)
	}
	item := func(name, id, assets string) string {
		return write(t, filepath.Join(dir, name), fmt.Sprintf(`{"type":"Feature","stac_version":"1.0.0","id":"%s","properties":{"datetime":"2023-08-23T09:55:59Z","platform":"sentinel-2b"},"assets":{%s}}`, id, assets))
	}
	w := want{bands: six, sensor: "sentinel-2", when: "2023-08-23T09:55:59", from: raster.FromProduct, values: []float64{.1, .2, .3, .4, .5, .6}}
	w.of(t, item("old.json", "x", assets))
	w.of(t, item("new.json", "x", now))
	w.level = "2A" // as Earth Search and others tell it
	w.of(t, item("search.json", "S2B_34UCF_20230823_0_L2A", assets))
	w.of(t, item("kind.json", `x","collection":"sentinel-2-l2a`, assets))
	bare := strings.ReplaceAll(assets, `"scale":0.0001,"offset":-0.1,`, "")
	w.level = "2A"
	w.of(t, item("named.json", "S2B_MSIL2A_20230823T095559_N0509_R122_T34UCF_20230823T120234", bare))
	w.level, w.from, w.values, w.warnings = "", raster.FromAssumed, []float64{.2, .3}, 1
	w.of(t, item("bare.json", "x", bare))
	for href, says := range map[string]string{"https://x/y.tif": "not on this machine", "../y.tif": "outside", "/etc/passwd": "outside", "gone.tif": "not there", "data": "no plain file"} {
		path := item("bad.json", "x", fmt.Sprintf(`"a":{"href":%q,"eo:bands":[{"common_name":"red"}]}`, href))
		if s, err := raster.Open(path, raster.Options{}); err == nil {
			s.Close()
			t.Errorf("%s opens", href)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, which does not say %q", href, err, says)
		}
	}
	for _, text := range []string{"{", `{"type":"FeatureCollection"}`, `{"type":"Feature","assets":{"a":{"href":"x"}}}`, `[]`, `{"type":"Feature","assets":{"a":{"nodata":[],"eo:bands":[{}]}}}`} {
		if s, err := raster.Open(write(t, filepath.Join(dir, "bad.json"), text), raster.Options{}); err == nil {
			s.Close()
			t.Errorf("%s opens", text)
		}
	}
}
