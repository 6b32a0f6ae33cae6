package raster

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/airbusgeo/godal"
)

// ErrGeoref says that a georeference is none that can be used.
var ErrGeoref = errors.New("is no usable georeference")

const (
	maxWKT  = 32 << 10 // bytes; the longest of EPSG's take 10 KB
	maxEPSG = 1 << 20
)

var (
	beginsAsWKT = regexp.MustCompile(`(?i)^\s*(PROJCS|GEOGCS|GEOCCS|COMPD_CS|LOCAL_CS|PROJCRS|PROJECTEDCRS|GEOGCRS|GEOGRAPHICCRS|GEODCRS|GEODETICCRS|COMPOUNDCRS|BOUNDCRS|ENGCRS|ENGINEERINGCRS|DERIVEDPROJCRS|VERTCRS|VERT_CS|FITTED_CS)\s*[\[(]`)
	// Whatever of WKT and of PROJ's own language, which WKT may quote, names a file.
	namesFile = regexp.MustCompile(`(?i)PARAMETERFILE|PROJ4_GRIDS|(?:grids|init|file|catalog|model|xyz_src|pipeline)\s*=\s*("?@?[^\s"+\]]*)`)
)

// CheckWKT says whether a text from outside may be handed to PROJ as a coordinate reference system: it
// begins as one, is of bounded length, and names no file. Whether it parses, Georef.Check says.
func CheckWKT(text string) error {
	if len(text) > maxWKT {
		return fmt.Errorf("%w: its reference system has %d bytes, at most %d are taken", ErrGeoref, len(text), maxWKT)
	}
	if !beginsAsWKT.MatchString(text) {
		return fmt.Errorf("%w: its reference system begins with %.40q, not as WKT does (PROJCS[…, GEOGCS[…, PROJCRS[…): addresses, file names and PROJ strings are not taken", ErrGeoref, text)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == 0x7f }) {
		return fmt.Errorf("%w: its reference system has characters that WKT has not", ErrGeoref)
	}
	for _, m := range namesFile.FindAllStringSubmatch(text, -1) {
		if m[1] != "@null" { // Web Mercator's own way to say that there is no file
			return fmt.Errorf("%w: its reference system names a file (%.60q); write it without grids", ErrGeoref, m[0])
		}
	}
	return nil
}

// Check says whether a georeference from outside can be used. The zero one is a picture without a place.
func (g Georef) Check() error {
	for i, v := range g.Transform {
		if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > 1e12 {
			return fmt.Errorf("%w: transform[%d] is %g", ErrGeoref, i, v)
		}
	}
	if g.EPSG < 0 || g.EPSG > maxEPSG {
		return fmt.Errorf("%w: EPSG code %d", ErrGeoref, g.EPSG)
	}
	if g.WKT == "" {
		return nil
	}
	system, err := systemOf(g.WKT)
	if err == nil {
		system.Close()
	}
	return err
}

// systemOf reads a reference system from WKT and nothing else: one of EPSG's where it is what its code
// says, else what its words say. Close it.
func systemOf(wkt string) (*godal.SpatialRef, error) {
	if err := CheckWKT(wkt); err != nil {
		return nil, err
	}
	started()
	said, err := parsed(wkt)
	if err != nil {
		return nil, err
	}
	if said.AuthorityName("") == "EPSG" {
		if code, err := strconv.Atoi(said.AuthorityCode("")); err == nil && code > 0 && code <= maxEPSG {
			if known, err := godal.NewSpatialRefFromEPSG(code, reportErrors); err == nil {
				if said.IsSame(known) {
					said.Close()
					return known, nil
				}
				known.Close()
			}
		}
	}
	said.Close()
	return parsed(withoutCodes(wkt))
}

func parsed(wkt string) (*godal.SpatialRef, error) {
	system, err := godal.NewSpatialRefFromWKT(wkt, reportErrors)
	if err != nil {
		return nil, fmt.Errorf("%w: its reference system can't be read: %w", ErrGeoref, brief(err))
	}
	return system, nil
}

var code = regexp.MustCompile(`(?i),\s*(?:AUTHORITY|ID)\s*[\[(]\s*"[^"]*"[^\[\]()]*(?:[\[(][^\[\]()]*[\])][^\[\]()]*)*[\])]`)

// withoutCodes leaves out what codes a system and its parts claim to have. PROJ looks them up and takes
// what it finds for what was written: where that is of another kind, it reads through a null pointer.
func withoutCodes(wkt string) string { return code.ReplaceAllLiteralString(wkt, "") }
