package raster

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/airbusgeo/godal"
)

// naipFile is a quarter quadrangle of the National Agriculture Imagery Program: m_4207324_se_18_060_20210910.tif.
var naipFile = regexp.MustCompile(`(?i)^(m_\d{7}_[ns][ew]_\d{1,2}_[0-9a-z]{1,3}_\d{8}(?:_\d{8})?)\.tiff?$`)

// findNAIP finds a NAIP picture of four bands of 8 bits: red, green, blue and near infrared, whatever its
// fourth band is marked as. Their numbers are those of a picture.
func findNAIP(c *container) (*product, error) {
	found := c.find(naipFile.MatchString)
	if len(found) == 0 {
		return nil, nil
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("it holds %d pictures, such as %s; give one of them", len(found), path.Base(found[0]))
	}
	p := &product{name: strings.TrimSuffix(path.Base(found[0]), path.Ext(found[0])), sensor: "naip", captured: capturedInName(found[0])}
	n, err := bandsOf(c.gdal(found[0]))
	if err != nil {
		return nil, err
	}
	for i, name := range []string{"red", "green", "blue", "nir"}[:min(n, 4)] { // those of before 2007 have three
		p.bands = append(p.bands, productBand{file: c.gdal(found[0]), band: i + 1, name: name, scaling: one})
	}
	p.order()
	return p, nil
}

func bandsOf(file string) (int, error) {
	ds, err := godal.Open(file, godal.RasterOnly(), godal.SiblingFiles(), withoutVRT(), reportErrors)
	if err != nil {
		return 0, fmt.Errorf("%w; if it was cut off, copy it again", brief(err))
	}
	defer ds.Close(reportErrors)
	return len(ds.Bands()), nil
}
