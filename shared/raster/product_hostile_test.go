package raster

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const safeBegin = `<?xml version="1.0"?><x><General_Info><Product_Info><PRODUCT_URI>S2B_X.SAFE</PRODUCT_URI><PROCESSING_LEVEL>Level-1C</PROCESSING_LEVEL><Product_Organisation><Granule_List><Granule>`
const safeEnd = `</Granule></Granule_List></Product_Organisation></Product_Info><Product_Image_Characteristics><QUANTIFICATION_VALUE>10000</QUANTIFICATION_VALUE></Product_Image_Characteristics></General_Info></x>`

// What hostile products end with: words, soon, and nothing of other folders.
func TestHostileProductsAreRefused(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret_B02.jp2")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><x>&c;</x>`
	for name, c := range map[string]struct{ text, says string }{
		"entities":           {bomb, "no readable metadata"},
		"deep":               {strings.Repeat("<x>", 200_000), "no readable metadata"},
		"cut off":            {(safeBegin + safeEnd)[:300], "no readable metadata"},
		"names that lead up": {safeBegin + "<IMAGE_FILE>../../../" + filepath.Base(filepath.Dir(secret)) + "/secret_B02</IMAGE_FILE>" + safeEnd, "none of the images"},
		"an absolute name":   {safeBegin + "<IMAGE_FILE>" + secret + "</IMAGE_FILE>" + safeEnd, "none of the images"},
		"no end of names":    {safeBegin + strings.Repeat("<IMAGE_FILE>a_B02</IMAGE_FILE>", 200_000) + safeEnd, "none of the images"},
		"division by 0":      {strings.Replace(safeBegin+safeEnd, "10000", "0", 1), "quantification"},
		"not a number":       {strings.Replace(safeBegin+safeEnd, "10000", "NaN", 1), "quantification"},
		"no end":             {strings.Replace(safeBegin+safeEnd, "10000", "Inf", 1), "quantification"},
	} {
		folder := filepath.Join(t.TempDir(), "S2B_X.SAFE")
		if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(filepath.Join(folder, "MTD_MSIL1C.xml"), []byte(c.text), 0o644)); err != nil {
			t.Fatal(err)
		}
		refused(t, name, folder, c.says)
	}
}

func refused(t *testing.T, name, path, says string) {
	t.Helper()
	began := time.Now()
	s, err := Open(path, Options{})
	if err == nil {
		s.Close()
		t.Errorf("%s: it opens", name)
		return
	}
	if !strings.Contains(err.Error(), says) || len(err.Error()) > 1500 {
		t.Errorf("%s: %.300q, which does not say %q", name, err.Error(), says)
	}
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("%s: it took %s", name, took)
	}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	var whole bytes.Buffer
	z := zip.NewWriter(&whole)
	w, err := z.Create("S2B_X.SAFE/MTD_MSIL1C.xml")
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("<x>"))
	for range (maxMetadata >> 20) + 1 {
		w.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	z.Close()
	var out bytes.Buffer
	z = zip.NewWriter(&out)
	z.Create("../../etc/MTD_MSIL1C.xml")
	z.Close()
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"metadata that grow":   {whole.Bytes(), "MiB"},
		"cut off":              {whole.Bytes()[:whole.Len()/2], "copy it again"},
		"a name that leads up": {out.Bytes(), "it"},
		"not a zip":            {[]byte("PK\x03\x04nothing"), "copy it again"},
	} {
		path := filepath.Join(t.TempDir(), "x.zip")
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		refused(t, name, path, c.says)
	}
}

func TestLinksAndNamesInTarsLeadNowhere(t *testing.T) {
	const product = "LC09_L2SP_195025_20220601_20220603_02_T1"
	for name, c := range map[string]struct {
		header tar.Header
		says   string
	}{
		"a symbolic link":  {tar.Header{Typeflag: tar.TypeSymlink, Name: product + "_SR_B2.TIF", Linkname: "/etc/passwd"}, "no product that is known"},
		"a hard link":      {tar.Header{Typeflag: tar.TypeLink, Name: product + "_SR_B2.TIF", Linkname: "../../etc/passwd"}, "no product that is known"},
		"a device":         {tar.Header{Typeflag: tar.TypeChar, Name: product + "_SR_B2.TIF"}, "no product that is known"},
		"a name above":     {tar.Header{Typeflag: tar.TypeReg, Name: "../../" + product + "_SR_B2.TIF"}, "leads out of it"},
		"an absolute name": {tar.Header{Typeflag: tar.TypeReg, Name: "/etc/" + product + "_SR_B2.TIF"}, "leads out of it"},
		"a lying size":     {tar.Header{Typeflag: tar.TypeReg, Name: product + "_SR_B2.TIF", Size: 1 << 40}, "copy it again"},
	} {
		path := filepath.Join(t.TempDir(), "x.tar")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		z := tar.NewWriter(f)
		if err := z.WriteHeader(&c.header); err != nil {
			t.Fatal(err)
		}
		if c.header.Size == 0 {
			z.Close()
		}
		f.Close()
		refused(t, name, path, c.says)
	}
}

func FuzzSentinel2Metadata(f *testing.F) {
	f.Add([]byte(safeBegin + "<IMAGE_FILE>a_B02</IMAGE_FILE>" + safeEnd))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseSentinel2(data)
		if err != nil {
			return
		}
		p := &product{}
		if m.bands(p, func(image string) string { return image }) != nil {
			return
		}
		for _, b := range p.bands {
			if !(b.scaling.Scale > 0) || b.scaling.Scale-b.scaling.Scale != 0 || b.scaling.Offset-b.scaling.Offset != 0 || *b.nodata-*b.nodata != 0 {
				t.Fatalf("%+v, no data %v", b, *b.nodata)
			}
		}
	})
}

func FuzzMTL(f *testing.F) {
	f.Add([]byte("REFLECTANCE_MULT_BAND_2 = 2.75e-05\nREFLECTANCE_ADD_BAND_2 = -0.2\nSUN_ELEVATION = 45\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := parseMTL(data)
		m.taken()
		for _, level := range []string{"L1", "L2"} {
			m.unsure(level)
			if s, ok := m.scaling("2", level); ok && (!(s.Scale > 0) || s.Scale-s.Scale != 0 || s.Offset-s.Offset != 0) {
				t.Fatalf("%+v", s)
			}
		}
	})
}

func FuzzIMD(f *testing.F) {
	f.Add([]byte("bandId = \"BGRN\";\nBEGIN_GROUP = BAND_B\n\tabsCalFactor = 1e-2;\nEND_GROUP = BAND_B\nBEGIN_GROUP = TILE_1\n\tfilename = \"a.TIF\";\n\tULColOffset = 0;\n\tULRowOffset = 0;\nEND_GROUP = TILE_1\n"))
	f.Add([]byte("<isd><IMD><BAND_B><ABSCALFACTOR>1</ABSCALFACTOR></BAND_B><IMAGE><TLCTIME>2016-07-04T22:32:24Z</TLCTIME></IMAGE></IMD><TIL><TILE><FILENAME>a</FILENAME></TILE></TIL></isd>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseIMD(data)
		if err != nil {
			return
		}
		m.bands()
		if d := sunDistance(m.taken()); !(d > 0.98 && d < 1.02) {
			t.Fatalf("the sun is %v away on %v", d, m.taken())
		}
		tiles, _ := m.tiles()
		for _, at := range tiles {
			if at.x < 0 || at.y < 0 || at.x > maxTileOffset || at.y > maxTileOffset {
				t.Fatalf("%+v", at)
			}
		}
	})
}

func FuzzSTACItem(f *testing.F) {
	f.Add([]byte(`{"type":"Feature","id":"x","properties":{"datetime":"2024-01-01T00:00:00Z"},"assets":{"b":{"href":"./a.tif","eo:bands":[{"common_name":"blue"}],"raster:bands":[{"scale":0.0001,"offset":-0.1,"nodata":0}]}}}`))
	f.Add([]byte(`{"type":"Feature","assets":{"b":{"href":"../secret.tif","bands":[{"eo:common_name":"red","nodata":"nan"}]}}}`))
	above := f.TempDir()
	folder := filepath.Join(above, "item")
	if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(filepath.Join(folder, "a.tif"), nil, 0o644), os.WriteFile(filepath.Join(above, "secret.tif"), nil, 0o644)); err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(folder, "item.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Skip(err)
		}
		p, err := findSTAC(path)
		if err != nil {
			return
		}
		for _, b := range p.bands {
			if filepath.Dir(b.file) != folder || !(b.scaling.Scale > 0) || b.scaling.Scale-b.scaling.Scale != 0 || b.scaling.Offset-b.scaling.Offset != 0 {
				t.Fatalf("%+v", b)
			}
		}
	})
}

// zipOf is a zip of n empty files, or of one that says to have so many bytes.
func zipOf(t *testing.T, n int, zeros int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for i := range n {
		if _, err := z.CreateRaw(&zip.FileHeader{Name: fmt.Sprintf("f%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if zeros > 0 {
		w, err := z.CreateRaw(&zip.FileHeader{Name: "a.tif", Method: zip.Deflate, UncompressedSize64: uint64(zeros), CompressedSize64: 10})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestZipBombsAreRefusedBeforeTheyAreUnpacked(t *testing.T) {
	refused(t, "a gigabyte of zeros", zipOf(t, 0, 1<<30+1), "unpack it")
	refused(t, "files without end", zipOf(t, maxContained+1, 0), "more than")
	refused(t, "more than 65,535, in zip64", zipOf(t, 70_000, 0), "more than")
	if err := countZip(zipOf(t, maxContained, 0)); err != nil {
		t.Errorf("as many as are taken: %v", err)
	}
}
