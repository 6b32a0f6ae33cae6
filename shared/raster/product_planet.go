package raster

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// planetFile is a file of PlanetScope's: 20210915_175131_60_2440_3B_AnalyticMS_SR_8b_clip.tif.
var planetFile = regexp.MustCompile(`(?i)^(\d{8}_\d{6}_[0-9a-z_]+?_3[AB])_AnalyticMS(_SR)?(?:_harmonized)?(_8b)?(?:_harmonized)?(?:_clip)?\.tiff?$`)

var planetBands = map[bool][]string{
	false: {"blue", "green", "red", "nir"},
	true:  {"coastal", "blue", "greeni", "green", "yellow", "red", "rededge071", "nir"},
}

// findPlanet finds a PlanetScope scene of 4 or 8 bands: Planet Imagery Product Specifications. Surface
// reflectance is x 0.0001; radiance becomes reflectance by the coefficients in its metadata.
func findPlanet(c *container) (*product, error) {
	found := c.find(planetFile.MatchString)
	if len(found) == 0 {
		return nil, nil
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("it holds %d scenes, such as %s; give one of them", len(found), path.Base(found[0]))
	}
	m := planetFile.FindStringSubmatch(path.Base(found[0]))
	p := &product{name: strings.TrimSuffix(path.Base(found[0]), path.Ext(found[0])), sensor: "planetscope", level: "3B"}
	p.captured, _ = time.Parse("20060102_150405", m[1][:15])
	meta, err := readPlanet(c, m[1])
	if err != nil {
		return nil, err
	}
	if t, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(meta.Taken)); err == nil {
		p.captured = t.UTC()
	}
	nodata := 0.0
	for i, name := range planetBands[m[3] != ""] {
		scaling := Scaling{Scale: 0.0001}
		if m[2] == "" {
			scaling = meta.scaling(i + 1)
		} else {
			p.level = "SR"
		}
		if scaling == one && p.unsure == nil {
			p.unsure = []Fact{{"calibration", "no reflectanceCoefficient; put " + m[1] + "_AnalyticMS_metadata.xml beside the scene", FromAssumed}}
		}
		p.bands = append(p.bands, productBand{file: c.gdal(found[0]), band: i + 1, name: name, scaling: scaling, nodata: &nodata})
	}
	p.order()
	return p, nil
}

// planetMetadata is what is read of …_AnalyticMS_metadata.xml.
type planetMetadata struct {
	Taken string `xml:"metaDataProperty>EarthObservationMetaData>acquisitionDateTime"`
	Begun string `xml:"using>EarthObservationEquipment>acquisitionParameters>Acquisition>acquisitionDateTime"`
	Bands []struct {
		Number      int    `xml:"bandNumber"`
		Coefficient string `xml:"reflectanceCoefficient"`
	} `xml:"resultOf>EarthObservationResult>bandSpecificMetadata"`
}

func readPlanet(c *container, id string) (m planetMetadata, err error) {
	found := c.find(func(n string) bool {
		return strings.HasPrefix(n, strings.ToUpper(id)) && strings.Contains(n, "_METADATA") && strings.HasSuffix(n, ".XML")
	})
	if len(found) == 0 {
		return m, nil
	}
	data, err := c.read(found[0])
	if err != nil {
		return m, err
	}
	if err := boundedXML(data, &m); err != nil {
		return m, fmt.Errorf("%s: %w", found[0], err)
	}
	if m.Taken == "" {
		m.Taken = m.Begun
	}
	return m, nil
}

func (m planetMetadata) scaling(band int) Scaling {
	for _, b := range m.Bands {
		if v, err := strconv.ParseFloat(strings.TrimSpace(b.Coefficient), 64); err == nil && b.Number == band && v > 0 && v < 1 {
			return Scaling{Scale: v}
		}
	}
	return one
}
