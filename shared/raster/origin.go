package raster

import (
	"path/filepath"
	"regexp"
	"strings"
)

// origin is what a file's name and tags tell of the product that it came from.
type origin struct {
	name     string // of the file, or the product that the tags name
	tagged   string // what the tags name; empty: nothing
	craft    string // SPACECRAFT_ID
	baseline string // PROCESSING_BASELINE
	product  bool   // made by us of a product's files: its numbers are the product's own
}

func (s *Scene) origin(path string) origin {
	if s.of != nil {
		return origin{name: s.of.name, product: true}
	}
	return origin{name: filepath.Base(path), tagged: s.ds.Metadata("PRODUCT_URI"), craft: s.ds.Metadata("SPACECRAFT_ID"), baseline: s.ds.Metadata("PROCESSING_BASELINE")}
}

// hint is the text by which the satellite is told.
func (o origin) hint() string { return o.name + " " + o.craft + " " + o.tagged }

// ownScale is where a scaling comes from that stands in the file itself.
func (o origin) ownScale() string {
	if o.product {
		return FromProduct
	}
	return FromFile
}

// The names of products. Sentinel-2's hold the processing baseline: from 04.00 on (25 January 2022)
// 1000 is added to what is stored, so that dark pixels are not cut off.
var (
	sentinel2Name = regexp.MustCompile(`(?i)S2[ABCD]_MSI(L1C|L2A)_\d{8}T\d{6}(?:_N(\d{4}))?`)
	landsatName   = regexp.MustCompile(`(?i)^L[COTEM]0([4-9])_(L[12])[A-Z]{2}_`)
	hlsName       = regexp.MustCompile(`(?i)^HLS\.([SL])30\.`)
)

const offsetSince = "0400" // Sentinel-2's baseline

// scaling is what the product's numbers mean, and where that is said; "" where nothing says.
func (o origin) scaling() (Scaling, string) {
	for _, at := range []struct{ text, from string }{{o.tagged, FromMetadata}, {o.name, FromName}} {
		if m := sentinel2Name.FindStringSubmatch(at.text); m != nil {
			baseline, from := m[2], at.from
			if o.baseline != "" {
				baseline, from = strings.ReplaceAll(o.baseline, ".", ""), FromMetadata
			}
			if baseline == "" {
				continue
			}
			return sentinel2Scaling(baseline), from
		}
		if m := landsatName.FindStringSubmatch(at.text); m != nil {
			switch {
			case strings.EqualFold(m[2], "L2"):
				return Scaling{2.75e-5, -0.2}, at.from
			case m[1] == "8" || m[1] == "9":
				return Scaling{2e-5, -0.1}, at.from
			}
		}
		if hlsName.MatchString(at.text) || modisName.MatchString(at.text) {
			return Scaling{Scale: 0.0001}, at.from
		}
	}
	if o.baseline != "" {
		return sentinel2Scaling(strings.ReplaceAll(o.baseline, ".", "")), FromMetadata
	}
	return Scaling{}, ""
}

func sentinel2Scaling(baseline string) Scaling {
	if baseline >= offsetSince && baseline < "9000" { // 99.99 are test products of before
		return Scaling{0.0001, -0.1}
	}
	return Scaling{Scale: 0.0001}
}

// identify says which sensor and level the scene is of, as far as it is known.
func (s *Scene) identify(o origin, given Options) {
	i := &s.info
	if i.Sensor, i.sensorFrom = satelliteByHint(o.hint()), FromName; i.Sensor != "" && satelliteByHint(o.name) == "" {
		i.sensorFrom = FromMetadata
	}
	for _, at := range []struct{ text, from string }{{o.tagged, FromMetadata}, {o.name, FromName}} {
		if m := sentinel2Name.FindStringSubmatch(at.text); m != nil && i.Level == "" {
			i.Level, i.levelFrom = strings.ToUpper(m[1][1:]), at.from
		}
		if m := landsatName.FindStringSubmatch(at.text); m != nil && i.Level == "" {
			i.Level, i.levelFrom = strings.ToUpper(m[2]), at.from
		}
	}
	if s.of != nil && s.of.sensor != "" {
		i.Sensor, i.sensorFrom = s.of.sensor, FromProduct
	}
	if s.of != nil && s.of.level != "" {
		i.Level, i.levelFrom = s.of.level, FromProduct
	}
	if given.Sensor != "" {
		i.Sensor, i.sensorFrom = given.Sensor, FromOption
	}
	if given.Level != "" {
		i.Level, i.levelFrom = given.Level, FromOption
	}
}
