package raster_test

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
)

// archives puts files of a folder into a zip and a tar beside it.
func archives(t *testing.T, folder string) (zipped, tarred string) {
	t.Helper()
	zipped, tarred = folder+".zip", folder+".tar"
	zf, err := os.Create(zipped)
	tf, err2 := os.Create(tarred)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	z, a := zip.NewWriter(zf), tar.NewWriter(tf)
	if err := errors.Join(z.AddFS(os.DirFS(folder)), a.AddFS(os.DirFS(folder)), z.Close(), a.Close(), zf.Close(), tf.Close()); err != nil {
		t.Fatal(err)
	}
	return zipped, tarred
}

func TestNamesOfGDALsAreOpened(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "vsite") // no kind of name, though it begins like one
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "a.tif")
	band(t, file, 20, 10, 3000)
	zipped, tarred := archives(t, folder)
	outer := filepath.Join(filepath.Dir(folder), "outer")
	data, err := os.ReadFile(zipped)
	if err := errors.Join(err, os.Mkdir(outer, 0o755), os.WriteFile(filepath.Join(outer, "in.zip"), data, 0o644)); err != nil {
		t.Fatal(err)
	}
	twice, _ := archives(t, outer)
	for _, name := range []string{
		file, "GTIFF_DIR:1:" + file, "GTIFF_DIR:1:/vsizip/" + zipped + "/a.tif",
		"/vsizip/" + zipped + "/a.tif", "/vsizip/{" + zipped + "}/a.tif", "/vsitar/" + tarred + "/a.tif",
		"/vsizip/" + zipped, "/vsizip/{" + zipped + "}", "/vsitar/" + tarred, "/vsisubfile/0," + file,
		"/vsizip/{/vsizip/{" + twice + "}/in.zip}/a.tif",
	} {
		s, err := raster.Open(name, raster.Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := s.Read(raster.Window{W: 8, H: 8}, nil); err != nil || s.Info().FileBytes == 0 && !strings.HasPrefix(name, "/vsisubfile") {
			t.Errorf("%s: %d bytes, %v", name, s.Info().FileBytes, err)
		}
		s.Close()
	}
}

func TestNamesOfPartsOfAProductAreTheProduct(t *testing.T) {
	folder := safe(t, "L1C")
	if err := os.WriteFile(filepath.Join(folder, "GRANULE/L1C_T34UCF_A033753/MTD_TL.xml"), []byte("<x/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	zipped := zipped(t, folder)
	inside := filepath.Base(folder)
	for _, name := range []string{
		folder + "/GRANULE/L1C_T34UCF_A033753/MTD_TL.xml", "SENTINEL2_L1C_TILE:" + folder + "/GRANULE/L1C_T34UCF_A033753/MTD_TL.xml:10m:EPSG_32634",
		"SENTINEL2_L1C:" + folder + "/MTD_MSIL1C.xml:20m:EPSG_32634", "SENTINEL2_L1C:" + folder + "/MTD_MSIL1C.xml",
		"SENTINEL2_L1C:/vsizip/" + zipped + "/" + inside + "/MTD_MSIL1C.xml:10m:EPSG_32634", "SENTINEL2_L1C:/vsizip/{" + zipped + "}/" + inside + "/MTD_MSIL1C.xml:10m:EPSG_32634",
		"/vsizip/" + zipped, "/vsizip/{" + zipped + "}/" + inside, "/vsizip/" + zipped + "/" + inside + "/MTD_MSIL1C.xml",
	} {
		s, err := raster.Open(name, raster.Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		if info := s.Info(); len(info.Bands) < 6 || info.Sensor != "sentinel-2" || info.FileBytes == 0 {
			t.Errorf("%s: %+v", name, info)
		}
		s.Close()
	}
}

func TestNamesThatAreNotOpenedAreToldWhy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.tif")
	band(t, file, 20, 10, 3000)
	for name, says := range map[string]string{
		"https://x/y.tif":                   "no file of this machine",
		"/vsicurl/http://127.0.0.1:1/y.tif": "/vsicurl is no file of this machine",
		"/vsizip//vsis3/bucket/y.zip/a.tif": "/vsis3 is no file of this machine",
		"/vsizip/{/vsicurl/http_x.zip}/a":   "/vsicurl is no file of this machine",
		"GTIFF_DIR:1:/vsicurl/http_x.tif":   "/vsicurl is no file of this machine",
		"/vsimem/x.tif":                     "/vsimem is no file of this machine",
		"/vsigzip/" + file + ".gz":          "unpack it",
		"/vsistdin/":                        "give a file",
		"/vsizip/{/vsizip/{/vsizip/{/vsizip/{a.zip}/b.zip}/c.zip}/d.zip}/e.tif": "more than 3 archives",
		"/vsizip/" + filepath.Dir(file) + "/x.zip/a.tif":                        "nothing is there",
		"HDF4_SDS:UNKNOWN:" + file + ":0":                                       "HDF4_SDS are not opened",
		"GTIFF_DIR:9:" + file:                                                   "directory 9",
	} {
		s, err := raster.Open(name, raster.Options{})
		if err == nil {
			s.Close()
			t.Errorf("%s opens", name)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%v, which does not say %q", err, says)
		}
	}
}
