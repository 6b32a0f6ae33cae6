package raster_test

import (
	"archive/tar"
	"archive/zip"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
)

// band writes one band's file of a product: size x size pixels of metres, all of one stored number but
// the first, which has no data.
func band(t *testing.T, path string, size int, metres float64, stored uint16) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	g, err := raster.UTM(34, true, 300000, 6100020, metres)
	if err != nil {
		t.Fatal(err)
	}
	made := scene(t, raster.Layout{Width: size, Height: size, Bands: []string{""}, DataType: "UInt16", Georef: g}, func(b, x, y int) float32 {
		if x == 0 && y == 0 {
			return 0
		}
		return float32(stored)
	})
	if err := os.Rename(made, path); err != nil {
		t.Fatal(err)
	}
}

const safeName = "S2B_MSI%s_20230823T095559_N0509_R122_T34UCF_20230823T120234"

// safe makes a Sentinel-2 product of baseline 05.09 in a folder: bands of 10 and 20 m, of which all hold
// a reflectance of 0.2 but blue, 0.3.
func safe(t *testing.T, level string) string {
	t.Helper()
	name := fmt.Sprintf(safeName, level)
	root := filepath.Join(t.TempDir(), name+".SAFE")
	var images strings.Builder
	for _, b := range []struct {
		id     string
		metres int
		stored uint16
	}{{"B02", 10, 4000}, {"B03", 10, 3000}, {"B04", 10, 3000}, {"B08", 10, 3000}, {"B8A", 20, 3000}, {"B11", 20, 3000}, {"B12", 20, 3000}} {
		image := fmt.Sprintf("GRANULE/%s_T34UCF_A033753/IMG_DATA/T34UCF_20230823T095559_%s", level, b.id)
		if level == "L2A" {
			image = fmt.Sprintf("GRANULE/L2A_T34UCF_A033753/IMG_DATA/R%dm/T34UCF_20230823T095559_%s_%dm", b.metres, b.id, b.metres)
		}
		band(t, filepath.Join(root, image+".tif"), 600/b.metres, float64(b.metres), b.stored)
		fmt.Fprintf(&images, "<IMAGE_FILE>%s</IMAGE_FILE>", image)
	}
	numbers := `<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE><Radiometric_Offset_List>` + offsets("RADIO_ADD_OFFSET") + `</Radiometric_Offset_List>`
	if level == "L2A" {
		numbers = `<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST><BOA_ADD_OFFSET_VALUES_LIST>` +
			offsets("BOA_ADD_OFFSET") + `</BOA_ADD_OFFSET_VALUES_LIST>`
	}
	text := fmt.Sprintf(`<?xml version="1.0"?><n1:Level-1C_User_Product xmlns:n1="x"><n1:General_Info><Product_Info>
<PRODUCT_START_TIME>2023-08-23T09:55:59.024Z</PRODUCT_START_TIME><PRODUCT_URI>%s.SAFE</PRODUCT_URI><PROCESSING_LEVEL>Level-%s</PROCESSING_LEVEL><PROCESSING_BASELINE>05.09</PROCESSING_BASELINE>
<Product_Organisation><Granule_List><Granule>%s</Granule></Granule_List></Product_Organisation></Product_Info>
<Product_Image_Characteristics><Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>%s</Product_Image_Characteristics>
</n1:General_Info></n1:Level-1C_User_Product>`, name, level[1:], images.String(), numbers)
	if err := os.WriteFile(filepath.Join(root, "MTD_MSI"+level+".xml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func offsets(element string) (text string) {
	for i := range 13 {
		text += fmt.Sprintf(`<%[1]s band_id="%[2]d">-1000</%[1]s>`, element, i)
	}
	return text
}

// zipped puts a folder into a zip beside it, under the folder's name.
func zipped(t *testing.T, folder string) string {
	t.Helper()
	path := strings.TrimSuffix(folder, ".SAFE") + ".zip"
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	err = filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(filepath.Dir(folder), p)
		w, err := z.Create(filepath.ToSlash(name))
		if err != nil {
			return err
		}
		data, err := os.ReadFile(p)
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	})
	if err != nil || z.Close() != nil || f.Close() != nil {
		t.Fatal(err)
	}
	return path
}

// reads holds what a product is read as to what it holds.
func reads(t *testing.T, path, sensor, level, when string) {
	t.Helper()
	s := open(t, path, raster.Options{})
	info := s.Info()
	if info.Width != 60 || info.Height != 60 || info.Georef.EPSG != 32634 || info.Sensor != sensor || info.Level != level || info.Captured.UTC().Format("2006-01-02T15:04:05.000Z") != when ||
		info.ScaleFrom != raster.FromProduct || !slices.Equal(info.Bands[:6], six) || len(info.Assumed()) != 0 || info.FileBytes == 0 {
		t.Errorf("%s: %+v", path, info)
	}
	im, err := s.Read(raster.Window{W: 60, H: 60}, six)
	if err != nil {
		t.Fatal(err)
	}
	for b, want := range []float64{.3, .2, .2, .2, .2, .2} {
		if got := float64(im.Planes[b][59*60+59]); math.Abs(got-want) > 1e-4 {
			t.Errorf("%s: band %s is %v, not %v", path, six[b], got, want)
		}
	}
	if im.Void == nil || im.Void[0] != 1 || im.Void[59*60+59] != 0 {
		t.Errorf("%s: the pixel without data is not marked", path)
	}
}

func TestSentinel2ProductsAreReadAsTheyCome(t *testing.T) {
	for _, level := range []string{"L1C", "L2A"} {
		folder := safe(t, level)
		for _, path := range []string{folder, zipped(t, folder), filepath.Join(folder, "MTD_MSI"+level+".xml"),
			"SENTINEL2_" + level + ":" + filepath.Join(folder, "MTD_MSI"+level+".xml") + ":10m:EPSG_32634"} {
			reads(t, path, "sentinel-2", level[1:], "2023-08-23T09:55:59.024Z")
		}
	}
}

func TestImagesThatAProductLacksAreTold(t *testing.T) {
	folder := safe(t, "L1C")
	if away := raster.Missing(folder); len(away) != 0 {
		t.Errorf("a whole product lacks %v", away)
	}
	if err := os.Remove(filepath.Join(folder, "GRANULE/L1C_T34UCF_A033753/IMG_DATA/T34UCF_20230823T095559_B11.tif")); err != nil {
		t.Fatal(err)
	}
	if away := raster.Missing(folder); !slices.Equal(away, []string{"T34UCF_20230823T095559_B11"}) {
		t.Errorf("it lacks %v", away)
	}
	info := open(t, folder, raster.Options{}).Info()
	if told := info.Assumed(); len(told) != 1 || told[0].What != "missing" || !strings.Contains(told[0].Value, "_B11") {
		t.Errorf("told is %+v", told)
	}

	folder = landsat(t)
	if err := os.WriteFile(filepath.Join(folder, landsatID+"_MTL.txt"), []byte("FILE_NAME_BAND_6 = \""+landsatID+"_SR_B6.TIF\"\nFILE_NAME_BAND_7 = \"other.TIF\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if away := raster.Missing(folder); !slices.Equal(away, []string{"other.TIF"}) {
		t.Errorf("it lacks %v", away)
	}
}

const landsatID = "LC09_L2SP_195025_20220601_20220603_02_T1"

// landsat makes a Landsat 9 product of level 2 in a folder.
func landsat(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), landsatID)
	for i := range 7 {
		stored := uint16(14545) // (0.2 + 0.2) / 0.0000275
		if i == 1 {
			stored = 18182
		}
		band(t, filepath.Join(folder, fmt.Sprintf("%s_SR_B%d.TIF", landsatID, i+1)), 60, 30, stored)
	}
	band(t, filepath.Join(folder, landsatID+"_QA_PIXEL.TIF"), 60, 30, 21824)
	return folder
}

func TestLandsatProductsAreReadAsTheyCome(t *testing.T) {
	folder := landsat(t)
	reads(t, folder, "landsat-9", "L2", "2022-06-01T00:00:00.000Z")
	text := "GROUP = LANDSAT_METADATA_FILE\n DATE_ACQUIRED = 2022-06-01\n SCENE_CENTER_TIME = \"10:10:03.5000000Z\"\n"
	for b := range 7 {
		text += fmt.Sprintf("  REFLECTANCE_MULT_BAND_%[1]d = 2.75e-05\n  REFLECTANCE_ADD_BAND_%[1]d = -0.2\n", b+1)
	}
	if err := os.WriteFile(filepath.Join(folder, landsatID+"_MTL.txt"), []byte(text+"END\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	reads(t, folder, "landsat-9", "L2", "2022-06-01T10:10:03.500Z")
	reads(t, filepath.Join(folder, landsatID+"_MTL.txt"), "landsat-9", "L2", "2022-06-01T10:10:03.500Z")

	packed := filepath.Join(t.TempDir(), landsatID+".tar")
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	if err := w.AddFS(os.DirFS(folder)); err != nil || w.Close() != nil || f.Close() != nil {
		t.Fatal(err)
	}
	reads(t, packed, "landsat-9", "L2", "2022-06-01T10:10:03.500Z")
}

func TestWhatIsNoProductSaysWhatItLooksLike(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	leads := filepath.Join(dir, "leads.zip")
	f, _ := os.Create(leads)
	z := zip.NewWriter(f)
	z.Create("../../etc/MTD_MSIL1C.xml")
	z.Close()
	f.Close()
	put("bomb/MTD_MSIL1C.xml", `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>`)
	put("hollow/MTD_MSIL1C.xml", `<x></x>`)
	put("zero/MTD_MSIL1C.xml", `<x><General_Info><Product_Image_Characteristics><QUANTIFICATION_VALUE>0</QUANTIFICATION_VALUE></Product_Image_Characteristics></General_Info></x>`)
	two := filepath.Join(dir, "two")
	put("two/a/MTD_MSIL1C.xml", "<x/>")
	put("two/b/MTD_MSIL1C.xml", "<x/>")
	broken := safe(t, "L1C")
	images, _ := filepath.Glob(filepath.Join(broken, "GRANULE/*/IMG_DATA/*_B03.tif"))
	os.WriteFile(images[0], []byte("cut off"), 0o644)
	gone := safe(t, "L1C")
	os.RemoveAll(filepath.Join(gone, "GRANULE"))
	nothing := filepath.Dir(put("nothing/a.txt", "x"))
	for path, want := range map[string]string{
		leads: "leads out of it", filepath.Join(dir, "bomb"): "no readable metadata", filepath.Join(dir, "hollow"): "Product_Image_Characteristics",
		filepath.Join(dir, "zero"): "no number from 1 to 1e9", two: "2 products", broken: "band green", gone: "none of the images",
		put("half.zip", "PK\x03\x04 and no more"): "cut off", put("x.tar.gz", "x"): "unpack it", nothing: "no product that is known",
	} {
		s, err := raster.Open(path, raster.Options{})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, which does not say %q", filepath.Base(path), err, want)
		}
	}
}

func TestWhatAPersonSaysOfBandsGoesBeforeColours(t *testing.T) {
	// Four bands of 8 bits, as GDAL writes them by default: red, green, blue and alpha.
	made := scene(t, raster.Layout{Width: 4, Height: 4, Bands: make([]string, 4), DataType: "Byte", Creation: []string{"PHOTOMETRIC=RGB", "ALPHA=YES"}},
		func(b, x, y int) float32 { return float32(b * 10) })
	s := open(t, made, raster.Options{Bands: six[:4]})
	im, err := s.Read(raster.Window{W: 1, H: 1}, six[:4])
	if err != nil || im.Void != nil || im.Plane("blue")[0] != 0 || im.Plane("nir")[0] == 0 {
		t.Fatalf("%v %+v", err, im)
	}
	if none := open(t, made, raster.Options{}); !slices.Equal(none.Info().Bands, []string{"red", "green", "blue"}) {
		t.Errorf("%v", none.Info().Bands)
	}
}

// Colours are how GDAL marks bands by default, so the names of the first bands go before them. A file's own names
// go before those of a person who did not name each band, which is told.
func TestNamesOfFewerBandsGoBeforeColoursAndNotBeforeNames(t *testing.T) {
	kind := func(names []string) string {
		return scene(t, raster.Layout{Width: 4, Height: 4, Bands: names, DataType: "Byte", Creation: []string{"PHOTOMETRIC=RGB"}}, func(b, x, y int) float32 { return float32(b*10 + 1) })
	}
	unnamed, named := kind(make([]string, 5)), kind([]string{"red", "green", "blue", "nir", "swir16"})
	for _, c := range []struct {
		path        string
		given, want []string
		told        bool
	}{
		{unnamed, six[:4], []string{"blue", "green", "red", "nir", "band5"}, false},
		{unnamed, six, []string{"red", "green", "blue", "band4", "band5"}, true},
		{unnamed, nil, []string{"red", "green", "blue", "band4", "band5"}, false},
		{named, six[:4], []string{"red", "green", "blue", "nir", "swir16"}, true},
		{named, six[:5], six[:5], false},
	} {
		info := open(t, c.path, raster.Options{Bands: c.given}).Info()
		told := slices.ContainsFunc(info.Assumed(), func(f raster.Fact) bool { return strings.Contains(f.Value, "its own names count") })
		if !slices.Equal(info.Bands, c.want) || told != c.told {
			t.Errorf("%v: %v %+v, want %v", c.given, info.Bands, info.Facts, c.want)
		}
	}
}
