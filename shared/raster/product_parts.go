package raster

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// partFile are the names of files that hold one band, or the quality, of a product that ships one file a band:
// the product's name comes first. Landsat's panchromatic and thermal bands stand for themselves.
var partFile = []*regexp.Regexp{
	regexp.MustCompile(`(?i)^(HLS\.[SL]30\.T\d{2}[A-Z]{3}\.\d{7}T\d{6}\.v\d+\.\d+)\.(?:B(?:0[1-9]|8A|1[0-2])|Fmask|SAA|SZA|VAA|VZA)\.tiff?$`),
	regexp.MustCompile(`(?i)^(L[COTEM]0[4-9]_L[12][A-Z]{2}_\d{6}_\d{8}_\d{8}_\d{2}_(?:T1|T2|RT))_(?:(?:SR_)?B[1-79]|SR_BAND[1-7]|QA_PIXEL|QA_RADSAT|BQA|SR_QA_AEROSOL|S[AZ]A|V[AZ]A)\.TIFF?$`),
}

// PartOf is the product that a file is a band of, by its name; "" where it is none.
func PartOf(path string) string {
	for _, pattern := range partFile {
		if m := pattern.FindStringSubmatch(filepath.Base(path)); m != nil {
			return m[1]
		}
	}
	return ""
}

// FirstPart is the first by name of the files beside a product's band that are of the same product, so that all
// of them stand for one scene; other paths are as they were.
func FirstPart(path string) string {
	id := PartOf(path)
	if id == "" {
		return path
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries { // in the order of their names
		if e.Type().IsRegular() && strings.EqualFold(PartOf(e.Name()), id) {
			return filepath.Join(filepath.Dir(path), e.Name())
		}
	}
	return path
}

// openParts lists the product that a file is a band of; nil where it is none.
func openParts(at string) (*container, error) {
	id := PartOf(at)
	if id == "" {
		return nil, nil
	}
	c, err := openFlat(filepath.Dir(at))
	if err != nil {
		return nil, err
	}
	c.names = slices.DeleteFunc(c.names, func(n string) bool { return !strings.HasPrefix(strings.ToUpper(n), strings.ToUpper(id)) })
	return c, nil
}
