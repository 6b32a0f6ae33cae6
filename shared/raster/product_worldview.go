package raster

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Products of Maxar (DigitalGlobe): WorldView, GeoEye-1, QuickBird-2. A TIF, or tiles that a TIL file lays out,
// and the calibration in an IMD file or the IMD part of an XML file (worldview_metadata.go).

// worldviewTile is what the names of tiles have beside their product's: …-M2AS_R1C2-….
var worldviewTile = regexp.MustCompile(`(?i)_R\d+C\d+`)

// worldviewBands are the bands by their group in the metadata, in the order of a file of all of them.
var worldviewBands = []struct{ group, name string }{
	{"BAND_C", "coastal"}, {"BAND_B", "blue"}, {"BAND_G", "green"}, {"BAND_Y", "yellow"},
	{"BAND_R", "red"}, {"BAND_RE", "rededge071"}, {"BAND_N", "nir"}, {"BAND_N2", "nir09"},
}

// worldviewSun is the sun's irradiance outside the atmosphere at one astronomical unit, W/m2/um, of a sensor's
// bands in the order above; 0: it has no such band. DigitalGlobe, Absolute Radiometric Calibration 2016v0
// (ABSRADCAL_FLEET_2016v0_Rel20170606), which averages Thuillier's spectrum of 2003.
var worldviewSun = map[string]struct {
	sensor string
	sun    [8]float64
}{
	"WV02": {"worldview-2", [8]float64{1773.81, 2007.27, 1829.62, 1701.85, 1538.85, 1346.09, 1053.21, 856.599}},
	"WV03": {"worldview-3", [8]float64{1757.89, 2004.61, 1830.18, 1712.07, 1535.33, 1348.08, 1055.94, 858.77}},
	"GE01": {"geoeye-1", [8]float64{0, 1993.18, 1828.83, 0, 1491.49, 0, 1022.58, 0}},
	"QB02": {"quickbird-2", [8]float64{0, 1949.59, 1823.64, 0, 1553.78, 0, 1102.85, 0}},
}

// findWorldView finds a multispectral product, also beside the panchromatic one of the same order.
func findWorldView(c *container) (*product, error) {
	metas := map[string]string{} // by the product's name
	for _, n := range c.names {
		switch ending := strings.ToUpper(path.Ext(n)); {
		case ending == ".IMD":
			metas[worldviewStem(n)] = n
		case ending == ".XML" && metas[worldviewStem(n)] == "" && c.isWorldView(n):
			metas[worldviewStem(n)] = n
		}
	}
	var found []*product
	var only error
	for _, stem := range sortedKeys(metas) {
		data, err := c.read(metas[stem])
		if err != nil {
			return nil, err
		}
		m, err := parseIMD(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", metas[stem], err)
		}
		groups, err := m.bands()
		if err != nil {
			only = fmt.Errorf("%s: %w", metas[stem], err)
			continue
		}
		p := &product{name: path.Base(stem), level: "L1"}
		if err := p.worldview(c, stem, m, groups); err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	switch len(found) {
	case 0:
		return nil, only
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("it holds several products, such as %s and %s; %w", found[0].name, found[1].name, errSeveral)
}

// worldviewStem is the name of a file's product: without its ending, and without its tile.
func worldviewStem(name string) string {
	return path.Join(path.Dir(name), worldviewTile.ReplaceAllString(strings.TrimSuffix(path.Base(name), path.Ext(name)), ""))
}

// isWorldView looks at the beginning of an XML file.
func (c *container) isWorldView(name string) bool {
	f, err := c.open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, _ := f.Read(head)
	return bytes.Contains(head[:n], []byte("<isd"))
}

// worldview fills in what the metadata say.
func (p *product) worldview(c *container, stem string, m imd, groups []int) error {
	if err := p.worldviewTiles(c, stem, m); err != nil {
		return err
	}
	p.captured = m.taken()
	craft, known := worldviewSun[strings.ToUpper(m["IMAGE.SATID"])]
	if p.sensor = craft.sensor; !known {
		p.unsure = append(p.unsure, Fact{"calibration", fmt.Sprintf("the sun's irradiance in the bands of %.20q is not known, so its numbers become no reflectance", m["IMAGE.SATID"]), FromAssumed})
	}
	if e := strings.ToUpper(m["RADIOMETRICENHANCEMENT"]); e != "" && e != "OFF" && e != "NONE" {
		p.unsure = append(p.unsure, Fact{"calibration", fmt.Sprintf("its numbers were stretched (radiometricEnhancement %.20q), so reflectances are off", e), FromAssumed})
	}
	height, low := m.number("IMAGE.MEANSUNEL")
	if low = low || height <= 0 || height > 90; low {
		height = 90
		p.unsure = append(p.unsure, Fact{"sun", "the metadata do not tell its height (meanSunEl), so reflectances are too low by its sine", FromAssumed})
	}
	if p.captured.IsZero() {
		p.unsure = append(p.unsure, Fact{"sun", "the metadata do not tell when it was taken, so its distance is taken as the year's mean", FromAssumed})
	}
	d := sunDistance(p.captured)
	nodata := 0.0
	for i, b := range groups {
		band := worldviewBands[b]
		factor, noFactor := m.number(band.group + ".ABSCALFACTOR")
		width, noWidth := m.number(band.group + ".EFFECTIVEBANDWIDTH")
		scaling := one
		if scale := factor / width * d * d * math.Pi / (craft.sun[b] * math.Sin(height*math.Pi/180)); !noFactor && !noWidth && scale > 0 && scale < 1e6 {
			scaling = Scaling{Scale: scale}
		} else if known {
			p.unsure = append(p.unsure, Fact{"calibration", fmt.Sprintf("the metadata's calibration of %s is missing or no number (absCalFactor, effectiveBandwidth)", band.name), FromAssumed})
			known = false // said once
		}
		p.bands = append(p.bands, productBand{file: p.tiles[0].file, band: i + 1, name: band.name, scaling: scaling, nodata: &nodata})
	}
	p.order()
	return nil
}

// worldviewTiles finds the TIFs, and where they lie.
func (p *product) worldviewTiles(c *container, stem string, m imd) error {
	beside := map[string]string{}
	for _, n := range c.names {
		if e := strings.ToUpper(path.Ext(n)); path.Dir(n) == path.Dir(stem) && (e == ".TIF" || e == ".TIFF") {
			beside[strings.ToUpper(path.Base(n))] = n
		}
	}
	if c.only != "" {
		p.tiles = []productTile{{file: c.gdal(c.only)}}
		return nil
	}
	layout := m
	for _, n := range c.names {
		if strings.EqualFold(path.Ext(n), ".TIL") && worldviewStem(n) == stem {
			data, err := c.read(n)
			if err == nil {
				layout, err = parseIMD(data)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", n, err)
			}
		}
	}
	tiles, err := layout.tiles()
	if err != nil {
		return err
	}
	for _, t := range tiles {
		n, there := beside[strings.ToUpper(path.Base(strings.ReplaceAll(t.file, `\`, "/")))]
		if !there {
			p.missing = append(p.missing, t.file)
			continue
		}
		t.file = c.gdal(n)
		p.tiles = append(p.tiles, t)
	}
	if len(tiles) == 0 {
		var own []string
		for _, k := range sortedKeys(beside) {
			if n := beside[k]; strings.EqualFold(worldviewStem(n), stem) || len(beside) == 1 {
				own = append(own, n)
			}
		}
		if len(own) > 1 {
			return fmt.Errorf("it has %d tiles and no TIL file that says where they lie; put it beside them, or give one tile", len(own))
		}
		for _, n := range own {
			p.tiles = append(p.tiles, productTile{file: c.gdal(n)})
		}
	}
	if len(p.tiles) == 0 {
		return fmt.Errorf("the TIF of %s is not beside its metadata", path.Base(stem))
	}
	if n := len(p.missing); n > 0 {
		p.unsure = append(p.unsure, Fact{"missing", fmt.Sprintf("%d tiles that its metadata name are not there: %s", n, strings.Join(p.missing[:min(n, 4)], ", ")), FromAssumed})
	}
	return nil
}

// openWorldView lists a product by its TIF, TIL, IMD or XML, for which the file itself was given: a TIF alone
// with its metadata, the others with all that lies beside; nil where the file is none of these.
func openWorldView(at string) (*container, error) {
	base := filepath.Base(at)
	ending := strings.ToUpper(filepath.Ext(base))
	if !slices.Contains([]string{".TIF", ".TIFF", ".TIL", ".IMD", ".XML"}, ending) {
		return nil, nil
	}
	stem := worldviewStem(base)
	picture := strings.HasPrefix(ending, ".TIF")
	if picture && !slices.ContainsFunc([]string{".IMD", ".XML", ".imd", ".xml"}, func(e string) bool {
		_, err := os.Stat(filepath.Join(filepath.Dir(at), stem+e))
		return err == nil
	}) {
		return nil, nil
	}
	c, err := openFlat(filepath.Dir(at))
	if err != nil {
		return nil, err
	}
	told := false
	c.names = slices.DeleteFunc(c.names, func(n string) bool {
		e := strings.ToUpper(path.Ext(n))
		switch {
		case e == ".IMD" && strings.EqualFold(worldviewStem(n), stem), e == ".XML" && strings.EqualFold(worldviewStem(n), stem) && c.isWorldView(n):
			told = true
			return false
		case picture:
			return n != base
		}
		return e != ".TIF" && e != ".TIFF" && !(e == ".TIL" && strings.EqualFold(worldviewStem(n), stem))
	})
	if !told {
		c.close()
		if ending == ".TIL" || ending == ".IMD" {
			return nil, errors.New("neither an IMD nor an XML file with the product's calibration lies beside it")
		}
		return nil, nil
	}
	if picture {
		c.only = base
	}
	return c, nil
}

// sunDistance is that of the Earth on a day, in astronomical units: Radiometric Use of WorldView-3 Imagery
// (DigitalGlobe, 2016), 3.2; 1 where the day is not known.
func sunDistance(at time.Time) float64 {
	if at.IsZero() {
		return 1
	}
	days := at.Sub(time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)).Hours() / 24
	g := (357.529 + 0.98560028*days) * math.Pi / 180
	return 1.00014 - 0.01671*math.Cos(g) - 0.00014*math.Cos(2*g)
}
