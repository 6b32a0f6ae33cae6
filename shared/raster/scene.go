// Package raster reads scenes by windows and writes masks, tiles and outlines. It is the only
// package that calls GDAL (through airbusgeo/godal); memory stays flat whatever a scene's size.
//
// A Scene, MaskWriter or Writer may be used from several goroutines, one call at a time is served.
package raster

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/airbusgeo/godal"
)

// Options are what a person says of a scene. They go before what its file says or seems to say.
type Options struct {
	Bands             []string  `yaml:"bands" desc:"names of the bands in the file's order, \"\" skips one; as many as the file has go before the file's own names"`
	ReflectanceScale  float64   `yaml:"reflectance_scale" desc:"factor that turns stored numbers into reflectance; 0: as the file says" range:"0.."`
	ReflectanceOffset *float64  `yaml:"reflectance_offset" desc:"offset of reflectance; -0.1 for Sentinel-2 since 2022" range:"-10..10" default:"as the file says"`
	NoData            *float64  `yaml:"nodata" desc:"the number of pixels without data, in every band" default:"as the file says"`
	Sensor            string    `yaml:"sensor" desc:"the sensor, such as sentinel-2" default:"as the file says"`
	Level             string    `yaml:"level" desc:"the processing level, such as 2A" default:"as the file says"`
	Time              time.Time `yaml:"time" desc:"when it was taken: 2024-05-20T10:00:00Z" default:"as the file says"`
}

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (o Options) Problems(add func(field, message, hint string)) {
	if o.ReflectanceScale < 0 || o.ReflectanceScale-o.ReflectanceScale != 0 {
		add("reflectance_scale", fmt.Sprintf("%v is no scale", o.ReflectanceScale), "use 0.0001 for Sentinel-2, or leave it out")
	}
	if f := o.ReflectanceOffset; f != nil && !(*f >= -10 && *f <= 10) {
		add("reflectance_offset", fmt.Sprintf("%v is no offset of reflectance", *f), "use -0.1 for Sentinel-2 since 2022, or leave it out")
	}
	for _, text := range []struct{ field, value string }{{"sensor", o.Sensor}, {"level", o.Level}} {
		if len(text.value) > 64 {
			add(text.field, fmt.Sprintf("%.20q… is %d characters long", text.value, len(text.value)), "use a name such as sentinel-2 or 2A")
		}
	}
}

// Info is what is known of a scene without reading its pixels.
type Info struct {
	Path          string
	Format        string // GDAL's driver: GTiff, PNG, JP2OpenJPEG …
	Width, Height int
	Bands         []string // names in the file's order, without an alpha band
	DataType      string   // GDAL's: Byte, UInt16, Float32 …
	NoData        *float64 // declared by the file
	Georef        Georef
	FileBytes     int64
	Captured      time.Time // from the metadata or the product's name, else the file's time
	CapturedFrom  string
	ScaleFrom     string // where reflectance comes from: see Scaling
	Sensor        string // sentinel-2, landsat-8 …; empty: unknown
	Level         string // 1C, 2A, L1, L2 …; empty: unknown
	Simulated     bool   // the file says that it was made up
	Facts         []Fact // what reading it rests on, and where each was found

	described                                    []string // the bands' own words, in the file's order
	bandsFrom, nodataFrom, sensorFrom, levelFrom string
}

// Scene is an open raster file. Close it.
type Scene struct {
	mu       sync.Mutex
	ds       *godal.Dataset
	of       *product // that it was made of; nil: a file
	blocks   *blocks  // of the product's files; nil: they are read through the dataset
	release  func()   // of what stands in memory for it
	info     Info
	places   []int // GDAL's band number of each of info.Bands
	named    int   // bands that a person named
	scalings []Scaling
	nodata   []*float32 // of each band
	mask     maskKind
	palette  *palette // of a picture of numbered colours; nil: it has none
	fit      *Fact    // how well ground control points or RPCs place it; nil: it has a grid of its own
}

const (
	// maxBlockBytes bounds what one window can make GDAL decode: the block is the smallest piece a
	// file can be read by. (Large strips are no trouble: GDAL reads them line by line.)
	maxBlockBytes = 256 << 20
	// maxPicturePixels bounds formats that are decoded whole or line by line from the start.
	maxPicturePixels = 100 << 20
)

var pictureFormats = []string{"PNG", "JPEG", "GIF", "BMP", "WEBP", "BIGGIF", "HEIF", "JPEGXL"}

// Open opens a scene and reads what it says of itself: a raster file, a product as its ground segment
// ships it (product.go), or a part of a file that GDAL has a name for (GTIFF_DIR:2:file.tif,
// /vsizip/file.zip/a.tif). It fails for what can't be read, for what can't be read by windows in bounded
// memory, and for what would make GDAL open anything else than what was named (closed.go, vrt.go).
func Open(path string, o Options) (*Scene, error) {
	started()
	s, err := open(path, o)
	if err != nil {
		return nil, fmt.Errorf("open scene %s: %w", path, err)
	}
	return s, nil
}

func open(path string, o Options) (*Scene, error) {
	var size int64
	var modified time.Time
	release := func() {}
	source := path
	if v, ok, err := variablesAt(path); err != nil {
		return nil, err
	} else if ok {
		return openVariables(path, v, o)
	}
	if err := checkReach(path); err != nil {
		return nil, err
	}
	stat, err := os.Stat(path)
	switch {
	case err != nil && !gdalName.MatchString(path):
		return nil, err
	case err != nil:
	case !stat.Mode().IsRegular() && !stat.IsDir():
		return nil, errors.New("it is a pipe or a device, not a file")
	case stat.Size() == 0:
		return nil, errors.New("the file is empty; copy it again")
	default:
		size, modified = stat.Size(), stat.ModTime()
	}
	of, err := findProduct(path)
	switch {
	case err != nil:
		return nil, err
	case of == nil && stat != nil:
		if err := checkNames(path); err != nil {
			return nil, err
		}
	case of != nil && of.single != "":
		source, of = of.single, nil
		if v, ok, err := variablesAt(source); ok && err == nil {
			return openVariables(path, v, o)
		}
	case of != nil:
		if source, size, release, err = of.virtual(); err != nil {
			return nil, err
		}
	}
	options := []godal.OpenOption{godal.RasterOnly(), godal.SiblingFiles(), reportErrors}
	if of == nil && (stat == nil || source != path) { // nobody has looked at the names of a VRT there
		options = append(options, withoutVRT())
	}
	ds, err := godal.Open(source, options...)
	if err != nil {
		release()
		if strings.Contains(err.Error(), "not recognized as a supported file format") {
			return nil, fmt.Errorf("it is not a raster that is read; give a product (%s), a GeoTIFF, or one of %s", strings.Join(Families(), ", "), strings.Join(Formats(), ", "))
		}
		return nil, notOpened(source, err)
	}
	return opened(ds, path, o, of, release, size, modified)
}

// opened makes a scene of an open dataset; release is called once that is closed.
func opened(ds *godal.Dataset, path string, o Options, of *product, release func(), size int64, modified time.Time) (s *Scene, err error) {
	s = &Scene{ds: ds, of: of, release: release}
	if s.info.Format = ds.Driver().ShortName(); s.info.Format == "JPEG" {
		if s.ds, s.release, err = upright(ds); err != nil {
			s.Close()
			return nil, err
		}
	}
	if err := s.study(path, o); err != nil {
		s.Close()
		return nil, err
	}
	if of != nil {
		s.blocks = blocksOf(of, of.grid)
	}
	if s.info.FileBytes = size; size == 0 {
		s.info.FileBytes = fileSize(path)
	}
	s.date(o, modified)
	s.info.Facts = s.facts()
	return s, nil
}

// withoutVRT is every format but VRT, whose bytes name other files.
func withoutVRT() godal.OpenOption {
	return godal.Drivers(slices.DeleteFunc(Formats(), func(name string) bool { return name == "VRT" })...)
}

// study fills in what the open dataset says.
func (s *Scene) study(path string, o Options) error {
	structure := s.ds.Structure()
	s.info.Path = path
	s.info.Width, s.info.Height = structure.SizeX, structure.SizeY
	s.info.DataType = structure.DataType.String()
	bands := s.ds.Bands()
	if len(bands) == 0 {
		return errors.New("it has no bands of its own; name one of its subdatasets (gdalinfo lists them)")
	}
	if strings.HasPrefix(s.info.DataType, "C") {
		return fmt.Errorf("its pixels are complex numbers (%s); give detected or calibrated values", s.info.DataType)
	}
	if err := s.bounded(structure, len(bands)); err != nil {
		return err
	}
	s.info.Georef, s.fit = georefOf(s.ds)
	if err := s.info.Georef.Check(); err != nil { // nobody whom it is sent to would take it
		return fmt.Errorf("its place %w; give it another: gdal_edit.py -a_srs EPSG:CODE FILE", err)
	}
	s.info.Simulated = s.ds.Metadata("SIMULATED") != ""

	var descriptions []string
	var colours []godal.ColorInterp
	for i, b := range bands {
		colour := b.ColorInterp()
		if colour == godal.CIAlpha && len(o.Bands) != len(bands) { // else its name says what it is
			s.mask.alpha = i + 1
			continue
		}
		s.places = append(s.places, i+1)
		word := b.Description()
		if word == "" {
			word = b.Metadata("NETCDF_VARNAME")
		}
		descriptions = append(descriptions, word)
		colours = append(colours, colour)
	}
	if len(s.places) == 0 {
		return errors.New("it has only an alpha band")
	}
	if s.unfold(bands, o) {
		descriptions, colours = make([]string, 3), []godal.ColorInterp{godal.CIRed, godal.CIGreen, godal.CIBlue}
	}
	s.info.described = descriptions
	origin := s.origin(path)
	s.identify(origin, o)
	s.named = len(o.Bands)
	s.info.Bands, s.info.bandsFrom = chooseNames(nameBands(descriptions, origin.hint()), colours, o.Bands)
	s.voidNumbers(bands, o)
	if !slices.Contains(colours, godal.CIAlpha) { // one that a person named is no mask
		s.mask.flags(bands[s.places[0]-1])
	}
	s.scale(bands, o, origin)
	return nil
}

// voidNumbers takes each band's no-data number, or the one that was given for all.
func (s *Scene) voidNumbers(bands []godal.Band, o Options) {
	for _, place := range s.places {
		v, ok := bands[place-1].NoData()
		s.info.nodataFrom = FromFile
		if !ok && modisStack(s.info) {
			v, ok, s.info.nodataFrom = modisNone, true, FromName
		}
		if o.NoData != nil {
			v, ok, s.info.nodataFrom = *o.NoData, true, FromOption
		}
		var none *float32
		if ok {
			f := float32(v)
			none = &f
			if s.info.NoData == nil {
				s.info.NoData = &v
			}
		}
		s.nodata = append(s.nodata, none)
	}
}

// bounded refuses what can't be read by windows in bounded memory.
func (s *Scene) bounded(st godal.DatasetStructure, bands int) error {
	pixels := int64(st.SizeX) * int64(st.SizeY)
	if slices.Contains(pictureFormats, s.info.Format) && pixels > maxPicturePixels {
		return fmt.Errorf("%d x %d pixels as %s, which can't be read by windows: at most %d megapixels; convert it: gdal_translate -co TILED=YES IN OUT.tif",
			st.SizeX, st.SizeY, s.info.Format, maxPicturePixels>>20)
	}
	block := int64(st.BlockSizeX) * int64(st.BlockSizeY) * int64(st.DataType.Size())
	if s.ds.Metadata("INTERLEAVE", godal.Domain("IMAGE_STRUCTURE")) == "PIXEL" {
		block *= int64(bands)
	}
	if block > maxBlockBytes {
		return fmt.Errorf("it is stored in blocks of %d x %d pixels, %d MiB each; convert it: gdal_translate -co TILED=YES IN OUT.tif",
			st.BlockSizeX, st.BlockSizeY, block>>20)
	}
	return nil
}

// chooseNames names the bands, and says where the names come from: by those that the user gave, where
// they are as many as the bands; else by their descriptions; else by what the user gave for the first of them;
// else by their colours.
func chooseNames(described []string, colours []godal.ColorInterp, given []string) (names []string, from string) {
	names = make([]string, len(described))
	byColour := map[godal.ColorInterp]string{godal.CIRed: "red", godal.CIGreen: "green", godal.CIBlue: "blue"}
	found := 0
	for i, c := range colours {
		if names[i] = byColour[c]; names[i] != "" {
			found++
		}
	}
	from = FromFile
	switch {
	case len(given) == len(described):
		names, from = canonical(given, len(names)), FromOption
	case slices.ContainsFunc(described, func(s string) bool { return s != "" }):
		names = described
	case len(given) > 0 && (len(given) < len(described) || found < 3):
		names, from = canonical(given, len(names)), FromOption
	case found < 3:
		clear(names)
		from = FromAssumed
	}
	for i, n := range names {
		if n == "" {
			names[i] = fmt.Sprintf("band%d", i+1)
		}
	}
	return names, from
}

// canonical gives the first names in their canonical form, "" for those that are not there.
func canonical(given []string, n int) []string {
	names := make([]string, n)
	for i := range min(len(given), n) {
		names[i] = CanonicalBand(given[i])
	}
	return names
}

// Info is what is known of the scene.
func (s *Scene) Info() Info { return s.info }

// Close releases the file.
func (s *Scene) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ds == nil {
		return nil
	}
	err := s.ds.Close(reportErrors)
	s.ds = nil
	if s.blocks != nil {
		s.blocks.close()
	}
	s.release()
	return err
}

// Require says which of the wanted bands the scene lacks, as a *BandError.
func (i Info) Require(bands ...string) error {
	if _, err := pick(i.Bands, bands); err != nil {
		return fmt.Errorf("scene %s: %w", i.Path, err)
	}
	return nil
}
