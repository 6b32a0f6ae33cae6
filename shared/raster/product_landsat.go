package raster

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	landsatBand = regexp.MustCompile(`(?i)^(L[COTEM]0[4-9]_L[12][A-Z]{2}_\d{6}_\d{8}_\d{8}_\d{2}_(?:T1|T2|RT))_(?:SR_B|B|SR_BAND)(\d{1,2})\.TIFF?$`)
	landsatESPA = regexp.MustCompile(`(?i)_SR_BAND\d{1,2}\.TIFF?$`)
	hlsBand     = regexp.MustCompile(`(?i)^(HLS\.[SL]30\.T\d{2}[A-Z]{3}\.(\d{7}T\d{6})\.v\d+\.\d+)\.(B(?:0[1-9]|8A|1[0-2]))\.tiff?$`)
)

// findLandsat finds a Landsat Collection 1 or 2 product of level 1 or 2, one file a band: Landsat 8-9
// Collection 2 Level 2 Science Product Guide, and its like. The numbers' meaning is taken from the MTL
// file, or from the product's name where that is missing. Level 1 is divided by the sine of the sun's
// height where the MTL file says it; where nothing does, that it was not is told. Collection 1's surface
// reflectance (…_sr_band2.tif) is x 0.0001, no data -9999, whatever the MTL file says of level 1.
func findLandsat(c *container) (*product, error) {
	files, id, err := oneBandFiles(c, landsatBand)
	if files == nil || err != nil {
		return nil, err
	}
	name := landsatName.FindStringSubmatch(id)
	p := &product{name: id, sensor: "landsat-" + name[1], level: strings.ToUpper(name[2]), captured: capturedInName(id)}
	mtl, err := readMTL(c, id)
	if err != nil {
		return nil, err
	}
	if t := mtl.taken(); !t.IsZero() {
		p.captured = t
	}
	numbers := satellites[p.sensor]
	if strings.EqualFold(id[1:2], "M") {
		numbers = landsatMSS
	}
	nodata, espa := 0.0, len(c.find(landsatESPA.MatchString)) > 0
	if espa {
		p.level, nodata = "L2", -9999
	}
	p.unsure, p.missing = mtl.unsure(p.level), mtl.missing(c)
	for number, file := range files {
		common := numbers[number]
		if common == "" || strings.HasPrefix(common, "lwir") || common == "pan" {
			continue
		}
		scaling, ok := mtl.scaling(number, p.level)
		if espa {
			scaling = Scaling{Scale: 0.0001}
		} else if !ok {
			if scaling, _ = (origin{name: id}).scaling(); scaling.Scale == 0 {
				scaling = one
				p.unsure = []Fact{{"calibration", "nothing says what the numbers mean; put " + id + "_MTL.txt beside them", FromAssumed}}
			}
		}
		p.bands = append(p.bands, productBand{file: file, band: 1, name: common, scaling: scaling, nodata: &nodata})
	}
	p.order()
	return p, nil
}

// findHLS finds a product of NASA's Harmonized Landsat and Sentinel-2, one file a band: HLS User
// Guide 2.0, reflectance x 10000, no data -9999.
func findHLS(c *container) (*product, error) {
	files, id, err := oneBandFiles(c, hlsBand)
	if files == nil || err != nil {
		return nil, err
	}
	p := &product{name: id, sensor: "sentinel-2", level: "2A"}
	if strings.EqualFold(id[4:5], "L") {
		p.sensor, p.level = "landsat", "L2"
	}
	if m := hlsBand.FindStringSubmatch(id + ".B02.tif"); m != nil {
		p.captured, _ = time.Parse("2006002T150405", m[2])
	}
	nodata := -9999.0
	for number, file := range files {
		common := satellites[p.sensor][strings.TrimPrefix(strings.ToLower(strings.TrimPrefix(strings.ToUpper(number), "B")), "0")]
		if common == "" || strings.HasPrefix(common, "lwir") {
			continue
		}
		p.bands = append(p.bands, productBand{file: file, band: 1, name: common, scaling: Scaling{Scale: 0.0001}, nodata: &nodata})
	}
	p.order()
	return p, nil
}

// oneBandFiles are the files of the one product whose bands' names fit a pattern (product, …, band), by
// the last group; nil where there is none.
func oneBandFiles(c *container, pattern *regexp.Regexp) (files map[string]string, id string, err error) {
	for _, n := range c.names {
		m := pattern.FindStringSubmatch(path.Base(n))
		if m == nil {
			continue
		}
		if files == nil {
			files, id = map[string]string{}, m[1]
		}
		if !strings.EqualFold(m[1], id) {
			return nil, "", fmt.Errorf("it holds several products, such as %s and %s; %w", id, m[1], errSeveral)
		}
		files[m[len(m)-1]] = c.gdal(n)
	}
	return files, id, nil
}

// mtl is a Landsat MTL file: names and values, whatever groups they stand in.
type mtl map[string]string

var mtlLine = regexp.MustCompile(`(?m)^\s*([A-Z0-9_]+)\s*=\s*"?([^"\r\n]*)"?\s*$`)

// readMTL reads the product's MTL file; empty where there is none.
func readMTL(c *container, id string) (mtl, error) {
	found := c.find(func(n string) bool { return n == strings.ToUpper(id)+"_MTL.TXT" })
	if len(found) == 0 {
		return nil, nil
	}
	data, err := c.read(found[0])
	if err != nil {
		return nil, err
	}
	return parseMTL(data), nil
}

func parseMTL(data []byte) mtl {
	m := mtl{}
	for _, line := range mtlLine.FindAllStringSubmatch(string(data), -1) {
		if _, there := m[line[1]]; !there { // level 2 repeats level 1's groups behind its own
			m[line[1]] = strings.TrimSpace(line[2])
		}
	}
	return m
}

// missing are the files of the reflective bands that the MTL file names and that are not there.
func (m mtl) missing(c *container) (names []string) {
	for band := range 7 {
		want := m["FILE_NAME_BAND_"+strconv.Itoa(band+1)]
		if want != "" && len(c.find(func(n string) bool { return n == strings.ToUpper(want) })) == 0 {
			names = append(names, want)
		}
	}
	return names
}

func (m mtl) number(key string) (float64, bool) {
	v, err := strconv.ParseFloat(m[key], 64)
	return v, err == nil && v-v == 0
}

// scaling is what a band's numbers mean. Level 1 is reflectance at the top of the atmosphere once it
// is divided by the sine of the sun's height.
func (m mtl) scaling(band, level string) (Scaling, bool) {
	scale, ok := m.number("REFLECTANCE_MULT_BAND_" + band)
	offset, too := m.number("REFLECTANCE_ADD_BAND_" + band)
	if !ok || !too || scale <= 0 {
		return Scaling{}, false
	}
	if height, ok := m.number("SUN_ELEVATION"); ok && level == "L1" && height > 0 && height <= 90 {
		sine := math.Sin(height * math.Pi / 180)
		scale, offset = scale/sine, offset/sine
	}
	return Scaling{scale, offset}, scale-scale == 0 && offset-offset == 0
}

// unsure says that level 1 is not divided by the sine of the sun's height, since nothing tells it.
func (m mtl) unsure(level string) []Fact {
	if height, ok := m.number("SUN_ELEVATION"); level != "L1" || ok && height > 0 && height <= 90 {
		return nil
	}
	return []Fact{{"sun", "no MTL file tells its height, so reflectances are too low by its sine; put …_MTL.txt beside the bands", FromAssumed}}
}

func (m mtl) taken() time.Time {
	t, err := time.Parse(time.RFC3339Nano, m["DATE_ACQUIRED"]+"T"+m["SCENE_CENTER_TIME"])
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
