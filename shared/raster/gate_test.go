package raster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/airbusgeo/godal"
)

var sixBands = []string{"blue", "green", "red", "nir", "swir16", "swir22"}

// variablesFile copies a file of variables to a folder of its own.
func variablesFile(t *testing.T, name, as string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "variables", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), as)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVariablesAreBands(t *testing.T) {
	for as, name := range map[string]string{"four.nc": "bands.nc", "three.nc": "classic.nc", "five.h5": "bands.nc"} {
		path := variablesFile(t, name, as)
		for _, given := range []string{path, filepath.Dir(path)} {
			s, err := Open(given, Options{})
			if err != nil {
				t.Errorf("%s: %v", as, err)
				continue
			}
			info := s.Info()
			if info.Width != 60 || info.Height != 60 || !slices.Equal(info.Bands, sixBands) || info.FileBytes == 0 {
				t.Errorf("%s: %+v", as, info)
			}
			im, err := s.Read(Window{W: 60, H: 60}, sixBands)
			if err != nil {
				t.Fatal(as, err)
			}
			if name == "bands.nc" && as != "five.h5" && (info.Georef.EPSG != 32634 || info.Captured.Format("2006-01-02T15:04:05.000Z") != "2023-08-23T09:55:59.024Z" || info.CapturedFrom != FromProduct) {
				t.Errorf("%s: %+v", as, info)
			}
			if as != "five.h5" { // GDAL's HDF5 reads neither CF's scale nor its no data
				if v := im.Plane("blue")[59*60+59]; v < 0.2999 || v > 0.3001 || im.Void == nil || im.Void[0]+im.Void[60*59] != 1 {
					t.Errorf("%s: blue is %v", as, v)
				}
			}
			s.Close()
		}
	}
}

func TestNamesOfVariablesAreOpened(t *testing.T) {
	path := variablesFile(t, "bands.nc", "x.nc")
	for _, name := range []string{`NETCDF:"` + path + `":red`, "NETCDF:" + path + ":red", `HDF5:"` + path + `"://red`} {
		s, err := Open(name, Options{Bands: []string{"red"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := s.Read(Window{W: 60, H: 60}, []string{"red"}); err != nil {
			t.Error(name, err)
		}
		s.Close()
	}
	for name, says := range map[string]string{`NETCDF:"/vsicurl/http://x/y.nc":red`: "no such file", "NETCDF:" + path + ":gone": "variable", `HDF5:"http://x/y.h5"://a`: "no such file"} {
		if s, err := Open(name, Options{}); err == nil {
			s.Close()
			t.Errorf("%s opens", name)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, which does not say %q", name, err, says)
		}
	}
}

func TestVariablesReachNoOtherFile(t *testing.T) {
	b := newBait(t)
	for _, name := range []string{"link.h5", "raw.h5", "virtual.h5"} {
		for _, as := range []string{name, strings.TrimSuffix(name, "h5") + "nc"} {
			data, err := os.ReadFile(filepath.Join("testdata", "variables", name))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(filepath.Dir(b.file), as) // the file beside it that it names is the bait
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, given := range []string{path, `HDF5:"` + path + `"://blue`, `NETCDF:"` + path + `":blue`} {
				s, err := Open(given, Options{Bands: nil})
				if err == nil {
					if _, err = s.Read(Window{W: 60, H: 60}, []string{"blue"}); err == nil {
						t.Errorf("%s: blue is read", given)
					}
					s.Close()
				} else if name != "link.h5" && !strings.Contains(err.Error(), "other files") {
					t.Errorf("%s: %v", given, err)
				}
				b.untouched(given)
			}
		}
	}
}

// What a person has not named stays closed, whatever names it: GDAL itself, a VRT, bytes of a device.
func TestTheGateOpensForNamedFilesAlone(t *testing.T) {
	started()
	path := variablesFile(t, "bands.nc", "x.nc")
	closed := func(when string) {
		t.Helper()
		for _, name := range []string{path, `NETCDF:"` + path + `":red`, `HDF5:"` + path + `"://red`} {
			if ds, err := godal.Open(name, reportErrors); err == nil {
				ds.Close()
				t.Errorf("%s: %s opens", when, name)
			}
		}
		vrt := filepath.Join(filepath.Dir(path), "x.vrt")
		for _, source := range []string{"x.nc", `NETCDF:"` + path + `":red`} {
			text := fmt.Sprintf(`<VRTDataset rasterXSize="60" rasterYSize="60"><VRTRasterBand dataType="UInt16" band="1"><Description>red</Description><SimpleSource><SourceFilename relativeToVRT="1">%s</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>`, source)
			if err := os.WriteFile(vrt, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(vrt, Options{}); err == nil {
				if _, err := s.Read(Window{W: 60, H: 60}, nil); err == nil {
					t.Errorf("%s: a VRT reads %s", when, source)
				}
				s.Close()
			}
		}
	}
	closed("before")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	closed("after")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeTile(data, 1<<20); err == nil {
		t.Error("bytes that a device sent are read as netCDF")
	}
}

func TestBrokenFilesOfVariablesAreTold(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join("testdata", "variables", "bands.nc"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		path := filepath.Join(t.TempDir(), "x.nc")
		data := slices.Clone(whole)
		if i < 20 {
			data = data[:8+len(data)*i/20]
		} else {
			for k := i; k < len(data); k += 997 {
				data[k] ^= byte(i)
			}
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(path, Options{}); err == nil {
			s.Read(Window{W: 60, H: 60}, nil)
			s.Close()
		}
	}
}
