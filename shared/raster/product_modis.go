package raster

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// MODIS surface reflectance (MOD09, MYD09, MCD09): x 0.0001, no data -28672; MOD09 User Guide, collection 6.
var (
	// one file a band, as AppEEARS and gdal_translate make them of a granule
	modisBand = regexp.MustCompile(`(?i)^(M[OYC]D09[A-Z0-9]{1,3}[._].*?)[._]?sur_refl_b(0[1-7])(_.*)?\.tiff?$`)
	modisName = regexp.MustCompile(`(?i)^M[OYC]D09[A-Z0-9]{1,3}[._]`)
)

const modisNone = -28672

// findMODIS finds the bands of one granule or cut-out, one file a band.
func findMODIS(c *container) (*product, error) {
	p := &product{sensor: "modis", level: "L2"}
	nodata := float64(modisNone)
	taken := map[string]string{}
	for _, n := range c.find(modisBand.MatchString) {
		m := modisBand.FindStringSubmatch(path.Base(n))
		id := m[1] + m[3]
		switch {
		case p.name == "":
			p.name, p.captured = strings.Trim(id, "._"), capturedInName(n)
		case taken[m[2]] != "", p.name != strings.Trim(id, "._"):
			return nil, fmt.Errorf("it holds several products, such as %s and %s; %w", p.name, path.Base(n), errSeveral)
		}
		taken[m[2]] = n
		p.bands = append(p.bands, productBand{file: c.gdal(n), band: 1, name: satellites["modis"][m[2][1:]], scaling: Scaling{Scale: 0.0001}, nodata: &nodata})
	}
	if p.name == "" {
		return nil, nil
	}
	p.order()
	return p, nil
}

// modisStack says whether a file of whole numbers is of MODIS by the words of its bands.
func modisStack(i Info) bool {
	if i.DataType != "Int16" && i.DataType != "Int32" {
		return false
	}
	return len(i.described) > 0 && modisNumber.MatchString(i.described[0])
}

var landsatWord = regexp.MustCompile(`(?i)^SR_B[1-7]$`)

// scalingOfWords is what numbers mean whose bands have names that one kind of product alone gives: SR_B2
// is Landsat Collection 2 level 2, as Earth Engine and STAC catalogs have it, sur_refl_b01 MODIS.
func scalingOfWords(words []string) (Scaling, bool) {
	landsat, modis := 0, 0
	for _, w := range words {
		if landsatWord.MatchString(w) {
			landsat++
		}
		if modisNumber.MatchString(w) {
			modis++
		}
	}
	switch {
	case landsat >= 3:
		return Scaling{2.75e-5, -0.2}, true
	case modis >= 3:
		return Scaling{Scale: assumedScale}, true
	}
	return Scaling{}, false
}
