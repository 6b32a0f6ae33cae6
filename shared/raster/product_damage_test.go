package raster_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/raster"
)

// everyFamily makes a small product of each kind that comes in a folder.
func everyFamily(t *testing.T) map[string]string {
	none := []string{""}
	in := func(parts ...string) string { return filepath.Join(append([]string{t.TempDir()}, parts...)...) }
	all := map[string]string{"Sentinel-2 L1C": safe(t, "L1C"), "Sentinel-2 L2A": safe(t, "L2A"), "Landsat": landsat(t)} // of JPEG 2000: blocks_test.go
	all["HLS"] = in("HLS.S30.T32TQM.2021123T101559.v2.0")
	for _, b := range []string{"B02", "B03", "B04", "B8A"} {
		stack(t, filepath.Join(all["HLS"], "HLS.S30.T32TQM.2021123T101559.v2.0."+b+".tif"), "Int16", none, -9999, 1000)
	}
	all["MODIS"] = in("order")
	for b := range 4 {
		stack(t, filepath.Join(all["MODIS"], fmt.Sprintf("MOD09A1.061_sur_refl_b%02d_doy2022152000000_aid0001.tif", b+1)), "Int16", none, -28672, 1000)
	}
	all["PlanetScope"] = in("planet")
	stack(t, filepath.Join(all["PlanetScope"], "20210916_175131_60_2440_3B_AnalyticMS.tif"), "UInt16", make([]string, 4), 0, 5000)
	write(t, filepath.Join(all["PlanetScope"], "20210916_175131_60_2440_3B_AnalyticMS_metadata.xml"), `<x><resultOf><EarthObservationResult>`+perBand(4, `<bandSpecificMetadata><bandNumber>%[1]d</bandNumber><reflectanceCoefficient>%[1]de-05</reflectanceCoefficient></bandSpecificMetadata>`)+`</EarthObservationResult></resultOf></x>`)
	all["NAIP"] = in("naip")
	stack(t, filepath.Join(all["NAIP"], "m_4207324_se_18_060_20210910.tif"), "Byte", make([]string, 4), 0, 51)
	all["WorldView"] = in("wv")
	stack(t, filepath.Join(all["WorldView"], "a.TIF"), "UInt16", make([]string, 4), 0, 100)
	write(t, filepath.Join(all["WorldView"], "a.IMD"), imdText("WV02", "BGRN", []string{"BAND_B", "BAND_G", "BAND_R", "BAND_N"}))
	stac := in("stac")
	stack(t, filepath.Join(stac, "a.tif"), "UInt16", make([]string, 3), 0, 100)
	all["STAC"] = write(t, filepath.Join(stac, "item.json"), `{"type":"Feature","id":"x","properties":{},"assets":{"a":{"href":"a.tif","eo:bands":[{"common_name":"blue"},{"common_name":"green"},{"common_name":"red"}]}}}`)
	return all
}

// damage is what is done to a file: what it held becomes something else.
var damage = map[string]func(data []byte) []byte{
	"empty":         func([]byte) []byte { return nil },
	"a tenth":       func(d []byte) []byte { return d[:len(d)/10] },
	"half":          func(d []byte) []byte { return d[:len(d)/2] },
	"all but a bit": func(d []byte) []byte { return d[:len(d)-min(len(d), 3)] },
	"noise": func(d []byte) []byte {
		for i := 40; i < len(d); i += 17 {
			d[i] ^= 0x5a
		}
		return d
	},
	"a VRT of itself": func([]byte) []byte {
		return []byte(`<VRTDataset rasterXSize="60" rasterYSize="60"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource><SourceFilename relativeToVRT="0">/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>`)
	},
	"a bomb of XML": func([]byte) []byte {
		bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">`
		for i := range 20 {
			bomb += fmt.Sprintf(`<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
		}
		return []byte(bomb + `]><isd>&a20;</isd>`)
	},
	"no end of elements": func([]byte) []byte { return []byte(strings.Repeat("<isd><IMD>", 50_000)) },
	"no end of arrays":   func([]byte) []byte { return []byte(strings.Repeat("[", 1_000_000)) },
	"no end of a line":   func([]byte) []byte { return []byte("A = " + strings.Repeat("9", 1<<20)) },
}

// Whatever is done to one file of a product, the product ends in words or in pixels, soon.
func TestADamagedFileOfAProductIsToldOrCostsPixelsOnly(t *testing.T) {
	for family, path := range everyFamily(t) {
		root := path
		if strings.HasSuffix(path, ".json") {
			root = filepath.Dir(path)
		}
		seen := map[string]bool{} // files of one kind are damaged alike: one of them will do
		filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || seen[strings.ToUpper(filepath.Ext(file))] {
				return err
			}
			seen[strings.ToUpper(filepath.Ext(file))] = true
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for name, change := range damage {
				if err := os.WriteFile(file, change(append([]byte{}, whole...)), 0o644); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				s, err := raster.Open(path, raster.Options{})
				switch {
				case err != nil && len(err.Error()) > 2000:
					t.Errorf("%s, %s of %s: %d characters: %.200s", family, name, filepath.Base(file), len(err.Error()), err)
				case err == nil:
					s.Read(raster.Window{W: min(60, s.Info().Width), H: min(60, s.Info().Height)}, nil)
					s.Close()
				case strings.Contains(err.Error(), "root:"):
					t.Errorf("%s: it tells what another file holds: %v", family, err)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("%s, %s of %s: it took %s", family, name, filepath.Base(file), took)
				}
			}
			return os.WriteFile(file, whole, 0o644)
		})
	}
}

// A link in a product leads nowhere: not out of the folder, nor within it.
func TestLinksInProductsLeadNowhere(t *testing.T) {
	for family, path := range everyFamily(t) {
		root := path
		if strings.HasSuffix(path, ".json") {
			root = filepath.Dir(path)
		}
		away := t.TempDir()
		filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.EqualFold(filepath.Ext(file), ".tif") {
				return err
			}
			to := filepath.Join(away, filepath.Base(file))
			return errors.Join(os.Rename(file, to), os.Symlink(to, file))
		})
		if s, err := raster.Open(path, raster.Options{}); err == nil {
			t.Errorf("%s: its links are followed: %v", family, s.Info().Bands)
			s.Close()
		}
	}
}
