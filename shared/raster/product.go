package raster

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// product is a scene as its ground segment ships it: several files, and metadata that say what the
// numbers mean. It is read through a virtual raster in memory that has one band for each of its files
// on the finest grid among them, with name, scale, offset and no-data number.
type product struct {
	name          string // of the product
	sensor, level string
	captured      time.Time
	bands         []productBand
	tiles         []productTile // all bands lie in each of these, side by side; none: each has a file
	grid          productGrid   // once it was studied
	unsure        []Fact        // what the product should say and does not
	missing       []string      // images that its metadata name and that are not there
	single        string        // GDAL's name of the one raster that there is, where nothing else is known
}

// productBand is one band of a product.
type productBand struct {
	file    string // GDAL's name
	band    int    // in that file, from 1
	name    string
	scaling Scaling
	nodata  *float64
}

// productTile is a part of a product that has all of its bands.
type productTile struct {
	file string // GDAL's name
	x, y int    // of its upper left corner in the whole
}

// families are those who know a kind of product. To add one, write a function that finds it among the
// files of a container, in a file of its own with a test, and name it here.
var families = []struct {
	name string
	find func(*container) (*product, error) // nil: it is none of these
}{
	{"Sentinel-2 SAFE", findSentinel2},
	{"Landsat Collection", findLandsat},
	{"HLS", findHLS},
	{"PlanetScope", findPlanet},
	{"NAIP", findNAIP},
	{"MODIS surface reflectance", findMODIS},
	{"WorldView, GeoEye, QuickBird", findWorldView},
}

// one is the scaling that says nothing: what the numbers mean is then told as of any file.
var one = Scaling{Scale: 1}

// Families are the kinds of product that are read as they come.
func Families() (names []string) {
	for _, f := range families {
		names = append(names, f.name)
	}
	return names
}

// productFile is the file of a product that stands for all of it, in the folder that holds them.
func productFile(at string) (folder string, ok bool) {
	base := strings.ToUpper(filepath.Base(at))
	ok = base == "MTD_MSIL1C.XML" || base == "MTD_MSIL2A.XML" || base == "MANIFEST.SAFE" ||
		strings.HasSuffix(base, "_MTL.TXT") || strings.HasSuffix(base, "_MTL.XML") || strings.HasSuffix(base, "_MTL.JSON")
	return filepath.Dir(at), ok
}

var rasterEnding = regexp.MustCompile(`\.(?:TIFF?|JP2|IMG|NC|HDF|H5)$`)

// errNoProduct says that nothing in a folder, zip or tar is known.
var errNoProduct = errors.New("it holds no product that is known")

// errSeveral says that a folder, zip or tar holds more than one product.
var errSeveral = errors.New("give one of them")

// subdataset is GDAL's name of a part of a Sentinel-2 product. The whole product is read instead: GDAL
// gives the bands of one resolution only, and does not say what is added to their numbers.
var subdataset = regexp.MustCompile(`^SENTINEL2_L(?:1C|2A|1C_TILE):(?:/vsi(?:zip|tar)/)?\{?(.+?\.(?i:zip|tar|xml))\}?(?:/.*)?(?::(?:[126]0m|TCI|PREVIEW)(?::.*)?)?$`)

// ProductPath is the folder, zip or tar of the product that a path stands for, where it names a part of
// one; else the path itself.
func ProductPath(at string) string {
	if m := subdataset.FindStringSubmatch(at); m != nil {
		at = m[1]
	} else if m := archivePart.FindStringSubmatch(at); m != nil {
		at = m[1]
	}
	if strings.EqualFold(filepath.Base(at), "MTD_TL.xml") { // of a granule: …SAFE/GRANULE/L1C_…/MTD_TL.xml
		return filepath.Dir(filepath.Dir(filepath.Dir(at)))
	}
	if folder, ok := productFile(at); ok {
		return folder
	}
	return at
}

// IsProduct says whether a folder holds one product that is known.
func IsProduct(folder string) bool {
	p, err := findProduct(folder)
	return err == nil && p != nil && p.single == ""
}

// productError is what keeps a product that a family knows from being read.
type productError struct {
	family string
	err    error
}

func (e *productError) Error() string { return e.family + ": " + e.err.Error() }
func (e *productError) Unwrap() error { return e.err }

// Broken is why a folder that is a product of a known family can't be read as one; nil where it can, or where it is
// none or holds several.
func Broken(folder string) error {
	_, err := findProduct(folder)
	if broken := (*productError)(nil); errors.As(err, &broken) && !errors.Is(err, errSeveral) {
		return err
	}
	return nil
}

// Missing are the images that the metadata of the product in a folder name and that are not there; none
// where it is no product.
func Missing(folder string) []string {
	p, err := findProduct(folder)
	if err != nil || p == nil {
		return nil
	}
	return p.missing
}

// findProduct finds the product at a path: a folder, a zip, a tar or a product's own metadata file;
// nil where path is of another kind.
func findProduct(at string) (*product, error) {
	at = ProductPath(at)
	if strings.EqualFold(filepath.Ext(at), ".json") {
		return findSTAC(at)
	}
	c, err := openContainer(at)
	if c == nil && err == nil {
		c, err = openAround(at)
	}
	if c == nil || err != nil {
		return nil, err
	}
	defer c.close()
	for _, f := range families {
		p, err := f.find(c)
		if err != nil {
			return nil, &productError{f.name, err}
		}
		if p != nil {
			return p, nil
		}
	}
	if rasters := c.find(func(n string) bool { return rasterEnding.MatchString(n) }); len(rasters) == 1 {
		return &product{single: c.gdal(rasters[0])}, nil
	}
	return nil, fmt.Errorf("%w (%s) and not just one raster, but %d files", errNoProduct, strings.Join(Families(), ", "), len(c.names))
}

// order puts the bands that networks read first, in the usual order, the others by name. Where there is no wide
// near infrared, the narrow one serves.
func (p *product) order() {
	if !slices.ContainsFunc(p.bands, func(b productBand) bool { return b.name == "nir" }) {
		for i := range p.bands {
			if p.bands[i].name == "nir08" {
				p.bands[i].name = "nir"
			}
		}
	}
	usual := []string{"blue", "green", "red", "nir", "swir16", "swir22"}
	rank := func(b productBand) int {
		if i := slices.Index(usual, b.name); i >= 0 {
			return i
		}
		return len(usual)
	}
	slices.SortStableFunc(p.bands, func(a, b productBand) int {
		return cmp.Or(rank(a)-rank(b), strings.Compare(a.name, b.name))
	})
}
