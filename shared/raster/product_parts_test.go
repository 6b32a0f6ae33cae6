package raster_test

import (
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
)

// hls makes a product as LP DAAC ships it: one COG a band, Fmask, angles.
func hls(t *testing.T, dir, id string, bands map[string]float32) {
	t.Helper()
	for b, v := range bands {
		stack(t, filepath.Join(dir, id+"."+b+".tif"), "Int16", []string{""}, -9999, v)
	}
	stack(t, filepath.Join(dir, id+".Fmask.tif"), "Byte", []string{""}, 255, 64)
	stack(t, filepath.Join(dir, id+".SZA.tif"), "UInt16", []string{""}, 40000, 3000)
	write(t, filepath.Join(dir, id+".cmr.xml"), "<x/>")
	write(t, filepath.Join(dir, id+".jpg"), "no picture")
}

func TestHLSIsReadByItsFolderOrAnyOfItsFiles(t *testing.T) {
	const sentinel, landsat = "HLS.S30.T32TQM.2021123T101559.v2.0", "HLS.L30.T32TQM.2021124T101000.v2.0"
	s30 := map[string]float32{"B01": 1, "B02": 1000, "B03": 2000, "B04": 3000, "B05": 1, "B06": 1, "B07": 1, "B08": 4000, "B8A": 4100, "B09": 1, "B10": 1, "B11": 5000, "B12": 6000}
	l30 := map[string]float32{"B01": 1, "B02": 1000, "B03": 2000, "B04": 3000, "B05": 4000, "B06": 5000, "B07": 6000, "B09": 1, "B10": 2900, "B11": 2901}
	values := []float64{.1, .2, .3, .4, .5, .6}
	s := want{bands: six, sensor: "sentinel-2", level: "2A", when: "2021-05-03T10:15:59", from: raster.FromProduct, values: values}
	l := want{bands: six, sensor: "landsat", level: "L2", when: "2021-05-04T10:10:00", from: raster.FromProduct, values: values}
	own, both := filepath.Join(t.TempDir(), sentinel), t.TempDir()
	hls(t, own, sentinel, s30)
	hls(t, both, sentinel, s30) // two products in one folder
	hls(t, both, landsat, l30)
	s.of(t, own)
	for _, file := range []string{"B02", "B8A", "B12", "Fmask"} {
		s.of(t, filepath.Join(own, sentinel+"."+file+".tif"))
		s.of(t, filepath.Join(both, sentinel+"."+file+".tif"))
	}
	l.of(t, filepath.Join(both, landsat+".B07.tif"))
	if _, err := raster.Open(both, raster.Options{}); err == nil || !strings.Contains(err.Error(), "give one of them") {
		t.Errorf("two products: %v", err)
	}
	if first := raster.FirstPart(filepath.Join(both, landsat+".Fmask.tif")); filepath.Base(first) != landsat+".B01.tif" {
		t.Errorf("%s stands for the product", first)
	}
	delete(s30, "B08") // the narrow one serves
	few := filepath.Join(t.TempDir(), sentinel)
	hls(t, few, sentinel, s30)
	s.values = []float64{.1, .2, .3, .41, .5, .6}
	s.of(t, few)
}

func TestPartsOfProductsAreToldByTheirNames(t *testing.T) {
	for name, want := range map[string]string{
		"HLS.L30.T32TQM.2021124T101000.v2.0.B02.tif":            "HLS.L30.T32TQM.2021124T101000.v2.0",
		"LC09_L2SP_195025_20220601_20220603_02_T1_SR_B4.TIF":    "LC09_L2SP_195025_20220601_20220603_02_T1",
		"LC08_L1TP_195025_20180601_20180615_01_T1_B4.TIF":       "LC08_L1TP_195025_20180601_20180615_01_T1",
		"LC09_L2SP_195025_20220601_20220603_02_T1_QA_PIXEL.TIF": "LC09_L2SP_195025_20220601_20220603_02_T1",
		"LC08_L1TP_195025_20180601_20180615_01_T1_B8.TIF":       "", // panchromatic
		"LC08_L1TP_195025_20180601_20180615_01_T1_stack.tif":    "",
		"HLS.S30.T32TQM.2022152T101559.v2.0.tif":                "",
		"S2B_MSIL1C_20220601T101559_N0400_R065_T32TQM_B02.tif":  "",
		"HLS.L30.T32TQM.2021124T101000.v2.0.B02.tif.aux.xml":    "",
	} {
		if got := raster.PartOf("/a/" + name); got != want {
			t.Errorf("%s is of %q, not %q", name, got, want)
		}
	}
}
