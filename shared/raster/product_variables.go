package raster

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/airbusgeo/godal"
)

// maxVariables bounds the variables of one file that are opened.
const maxVariables = 256

// openVariables opens a netCDF or HDF5 file, or one variable of it, once a process of its own has. A file
// with a variable for each band is one scene of them.
func openVariables(given string, v variables, o Options) (*Scene, error) {
	id, leave, err := v.hold()
	if err != nil {
		return nil, err
	}
	if err := v.try(id, o, trialBounds); err != nil {
		leave()
		return nil, err
	}
	return v.open(given, id, leave, o)
}

// open opens a file that is held; leave is called once nothing reads it any more.
func (v variables) open(given string, id identity, leave func(), o Options) (*Scene, error) {
	shut, err := v.enter()
	if err != nil {
		leave()
		return nil, err
	}
	both := func() { shut(); leave() }
	ds, of, err := v.dataset(o)
	if err == nil {
		err = v.unchanged(id)
	}
	if err != nil {
		if ds != nil {
			ds.Close(reportErrors)
		}
		both()
		return nil, err
	}
	at := time.Unix(id.Modified.Unix())
	if of == nil {
		return opened(ds, given, o, nil, both, id.Size, at)
	}
	source, _, release, err := of.virtual()
	if err != nil {
		both()
		return nil, err
	}
	all := func() { release(); both() }
	if ds, err = godal.Open(source, godal.RasterOnly(), godal.SiblingFiles(), godal.Drivers("VRT"), reportErrors); err != nil {
		all()
		return nil, brief(err)
	}
	return opened(ds, given, o, of, all, id.Size, at)
}

// dataset is the raster that the name is of, or the product that the file's variables make.
func (v variables) dataset(o Options) (*godal.Dataset, *product, error) {
	ds, err := v.raster()
	if err != nil || len(ds.Bands()) > 0 {
		return ds, nil, err
	}
	defer ds.Close(reportErrors)
	of, err := v.product(ds, o)
	return nil, of, err
}

func (v variables) raster() (*godal.Dataset, error) {
	ds, err := godal.Open(v.name(), godal.RasterOnly(), godal.SiblingFiles(), godal.Drivers(v.drivers()...), reportErrors)
	if err != nil {
		if strings.Contains(err.Error(), "not recognized as a supported file format") {
			return nil, fmt.Errorf("GDAL here does not read %s; convert it: gdal_translate IN OUT.tif", v.driver)
		}
		said := strings.ReplaceAll(brief(err).Error(), v.at(), filepath.Base(v.file))
		return nil, fmt.Errorf("%s; gdalinfo lists its variables", said)
	}
	return ds, nil
}

// variable is one of a file's, as a band.
type variable struct {
	productBand
	variable string
	size     [2]int
}

// product is the scene of a file's variables: those that are named as bands are, or where none is, those
// of one size if a person named as many.
func (v variables) product(ds *godal.Dataset, o Options) (*product, error) {
	all, err := v.list(ds)
	if err != nil {
		return nil, err
	}
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = a.name
	}
	p := &product{name: filepath.Base(v.file), captured: capturedInMetadata(ds)}
	p.sensor = satelliteByHint(p.name + " " + ds.Metadata("NC_GLOBAL#platform") + " " + ds.Metadata("platform"))
	names := nameBands(words, p.name+" "+p.sensor)
	for i, a := range all {
		if a.name = names[i]; knownBand(a.name) {
			p.bands = append(p.bands, a.productBand)
		}
	}
	if len(o.Bands) > 0 {
		if same := ofOneSize(all); len(same) == len(o.Bands) {
			p.bands = same
			return p, nil
		}
	}
	if len(p.bands) == 0 {
		return nil, fmt.Errorf("none of its variables is named as a band is: %s; name one of them, such as %s, or as many --bands as it has variables of one size, in their order",
			strings.Join(words[:min(len(words), 12)], ", "), v.of(all[0].variable).called())
	}
	p.order()
	return p, nil
}

// list opens each variable that is a raster of one band.
func (v variables) list(ds *godal.Dataset) (all []variable, err error) {
	listed := ds.Metadatas(godal.Domain("SUBDATASETS"))
	for n := 1; n <= maxVariables; n++ {
		m := variableName.FindStringSubmatch(listed[fmt.Sprintf("SUBDATASET_%d_NAME", n)])
		if m == nil {
			break
		}
		one := v.of(m[4])
		part, err := one.raster()
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", m[4], err)
		}
		if bands := part.Bands(); len(bands) == 1 && !strings.HasPrefix(bands[0].Structure().DataType.String(), "C") {
			s := bands[0].Structure()
			a := variable{productBand{file: one.name(), band: 1, name: path.Base(m[4]), scaling: Scaling{s.Scale, s.Offset}}, m[4], [2]int{s.SizeX, s.SizeY}}
			if s.Scale == 0 {
				a.scaling.Scale = 1
			}
			if none, ok := bands[0].NoData(); ok && none-none == 0 {
				a.nodata = &none
			}
			all = append(all, a)
		}
		part.Close(reportErrors)
	}
	if len(all) == 0 {
		return nil, errors.New("none of its variables is a raster of one band")
	}
	return all, nil
}

// ofOneSize are the variables of the size that most have.
func ofOneSize(all []variable) (same []productBand) {
	count := map[[2]int]int{}
	best := all[0].size
	for _, a := range all {
		if count[a.size]++; count[a.size] > count[best] {
			best = a.size
		}
	}
	for _, a := range all {
		if a.size == best {
			same = append(same, a.productBand)
		}
	}
	return same
}

// knownBand says whether a name is one that bands have.
func knownBand(name string) bool {
	for _, bands := range satellites {
		for _, b := range bands {
			if b == name {
				return true
			}
		}
	}
	return slices.Contains([]string{"nir08", "nir09"}, name)
}
