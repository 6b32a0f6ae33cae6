package raster

import (
	"encoding/xml"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// findSentinel2 finds a Sentinel-2 product of level 1C or 2A in its SAFE folder, as a folder or a zip,
// with the folder's name or without: Sentinel-2 Products Specification Document, 14.9. The metadata
// name the bands' files; of level 2A the finest file of each band is read.
func findSentinel2(c *container) (*product, error) {
	found := c.find(func(n string) bool { return n == "MTD_MSIL1C.XML" || n == "MTD_MSIL2A.XML" })
	switch {
	case len(found) == 0:
		return nil, nil
	case len(found) > 1:
		return nil, fmt.Errorf("it holds %d products; %w: %s", len(found), errSeveral, strings.Join(found[:min(len(found), 5)], ", "))
	}
	data, err := c.read(found[0])
	if err != nil {
		return nil, err
	}
	m, err := parseSentinel2(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", found[0], err)
	}
	p := &product{name: strings.TrimSuffix(m.Info.URI, ".SAFE"), sensor: "sentinel-2", level: "1C", captured: m.taken()}
	if strings.Contains(m.Info.Level, "2A") {
		p.level = "2A"
	}
	err = m.bands(p, func(image string) string { return bandFile(c, path.Dir(found[0]), image) })
	if err != nil {
		return nil, err
	}
	p.order()
	return p, nil
}

// sentinel2 is what is read of MTD_MSIL1C.xml or MTD_MSIL2A.xml.
type sentinel2 struct {
	Info struct {
		Start    string   `xml:"PRODUCT_START_TIME"`
		URI      string   `xml:"PRODUCT_URI"`
		Level    string   `xml:"PROCESSING_LEVEL"`
		Baseline string   `xml:"PROCESSING_BASELINE"`
		Sensing  string   `xml:"Datatake>DATATAKE_SENSING_START"`
		Images   []string `xml:"Product_Organisation>Granule_List>Granule>IMAGE_FILE"`
	} `xml:"General_Info>Product_Info"`
	Numbers struct {
		Special []struct {
			Text  string `xml:"SPECIAL_VALUE_TEXT"`
			Index string `xml:"SPECIAL_VALUE_INDEX"`
		} `xml:"Special_Values"`
		Quantification    string            `xml:"QUANTIFICATION_VALUE"`
		BOAQuantification string            `xml:"QUANTIFICATION_VALUES_LIST>BOA_QUANTIFICATION_VALUE"`
		Offsets           []sentinel2Offset `xml:"Radiometric_Offset_List>RADIO_ADD_OFFSET"`
		BOAOffsets        []sentinel2Offset `xml:"BOA_ADD_OFFSET_VALUES_LIST>BOA_ADD_OFFSET"`
	}
	L1C, L2A *struct{} `xml:"-"`
}

type sentinel2Offset struct {
	Band  int    `xml:"band_id,attr"`
	Value string `xml:",chardata"`
}

// parseSentinel2 reads the metadata; level 1C and 2A differ in the name of one element.
func parseSentinel2(data []byte) (m sentinel2, err error) {
	var doc struct {
		sentinel2
		One *xmlPart `xml:"General_Info>Product_Image_Characteristics"`
		C1  *xmlPart `xml:"Product_Image_Characteristics"`
	}
	if err := boundedXML(data, &doc); err != nil {
		return m, err
	}
	m = doc.sentinel2
	part := doc.One
	if part == nil {
		part = doc.C1
	}
	if part == nil {
		return m, errors.New("it has no Product_Image_Characteristics")
	}
	return m, boundedXML(append(append([]byte("<x>"), part.Inner...), "</x>"...), &m.Numbers)
}

type xmlPart struct {
	Inner []byte `xml:",innerxml"`
}

// boundedXML reads a document that names no entities of its own, so that it can't grow.
func boundedXML(data []byte, into any) error {
	d := xml.NewDecoder(strings.NewReader(string(data)))
	d.Entity = map[string]string{}
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("it is no readable metadata: %w", err)
	}
	return nil
}

func (m sentinel2) taken() time.Time {
	for _, text := range []string{m.Info.Sensing, m.Info.Start} {
		if t, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(text)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// sentinel2IDs are the bands in the order of their numbers in the metadata.
var sentinel2IDs = []string{"B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"}

var sentinel2Image = regexp.MustCompile(`(?i)_(B(?:0[1-9]|8A|1[0-2]))(?:_([126]0)m)?(?:\.jp2|\.tif)?$`)

// bands lists the finest file of each band.
func (m sentinel2) bands(p *product, file func(image string) string) error {
	quantification, err := strconv.ParseFloat(strings.TrimSpace(m.Numbers.Quantification+m.Numbers.BOAQuantification), 64)
	if err != nil || !(quantification >= 1 && quantification <= 1e9) {
		return fmt.Errorf("the metadata's quantification value %.20q is no number from 1 to 1e9", m.Numbers.Quantification+m.Numbers.BOAQuantification)
	}
	nodata := 0.0
	for _, s := range m.Numbers.Special {
		if v, err := strconv.ParseFloat(strings.TrimSpace(s.Index), 64); err == nil && v-v == 0 && strings.TrimSpace(s.Text) == "NODATA" {
			nodata = v
		}
	}
	finest := map[string]string{}
	resolution := map[string]string{}
	for _, image := range m.Info.Images {
		f := sentinel2Image.FindStringSubmatch(strings.TrimSpace(image))
		if f == nil {
			continue
		}
		id := strings.ToUpper(f[1])
		if old, ok := resolution[id]; !ok || f[2] < old {
			finest[id], resolution[id] = strings.TrimSpace(image), f[2]
		}
	}
	for n, id := range sentinel2IDs {
		image, named := finest[id]
		if !named {
			continue
		}
		at := file(image)
		if at == "" {
			p.missing = append(p.missing, path.Base(image))
			continue
		}
		offset, err := m.offset(n)
		if err != nil {
			return err
		}
		p.bands = append(p.bands, productBand{file: at, band: 1, name: satellites["sentinel-2"][strings.TrimPrefix(strings.ToLower(id[1:]), "0")],
			scaling: Scaling{Scale: 1 / quantification, Offset: offset / quantification}, nodata: &nodata})
	}
	if len(p.bands) == 0 {
		return fmt.Errorf("none of the images that its metadata name is there: %s", strings.Join(p.missing[:min(len(p.missing), 4)], ", "))
	}
	if n := len(p.missing); n > 0 {
		p.unsure = append(p.unsure, Fact{"missing", fmt.Sprintf("%d images that its metadata name are not there: %s", n, strings.Join(p.missing[:min(n, 4)], ", ")), FromAssumed})
	}
	return nil
}

// offset is what is added to the stored numbers of a band; products before baseline 04.00 have none.
func (m sentinel2) offset(band int) (float64, error) {
	for _, o := range append(slices.Clone(m.Numbers.Offsets), m.Numbers.BOAOffsets...) {
		if o.Band == band {
			v, err := strconv.ParseFloat(strings.TrimSpace(o.Value), 64)
			if err != nil || v-v != 0 {
				return 0, fmt.Errorf("the metadata's offset of band %d is %.20q, which is no number", band, o.Value)
			}
			return v, nil
		}
	}
	return 0, nil
}

// bandFile is GDAL's name of an image that the metadata name without its ending, below the product's
// folder; "" where it is not there.
func bandFile(c *container, folder, image string) string {
	want := path.Join(folder, image)
	for _, n := range c.names {
		if n == want || strings.EqualFold(strings.TrimSuffix(n, path.Ext(n)), want) {
			return c.gdal(n)
		}
	}
	return ""
}
