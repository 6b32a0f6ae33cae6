package raster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/airbusgeo/godal"
)

// Options say what a scene's file does not.
type Options struct {
	// Bands names the bands in the file's order, for files whose descriptions don't; "" skips one.
	Bands []string
	// ReflectanceScale turns stored numbers into reflectance, for files that don't say (see scale.go).
	ReflectanceScale float64
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
	ScaleFrom     string    // where reflectance comes from: see Scaling
	Simulated     bool      // the file says that it was made up
}

// Scene is an open raster file. Close it.
type Scene struct {
	mu       sync.Mutex
	ds       *godal.Dataset
	info     Info
	places   []int // GDAL's band number of each of info.Bands
	scalings []Scaling
	nodata   []*float32 // of each band
	mask     maskKind
}

const (
	// maxBlockBytes bounds what one window can make GDAL decode: the block is the smallest piece a
	// file can be read by. (Large strips are no trouble: GDAL reads them line by line.)
	maxBlockBytes = 256 << 20
	// maxPicturePixels bounds formats that are decoded whole or line by line from the start.
	maxPicturePixels = 100 << 20
)

var pictureFormats = []string{"PNG", "JPEG", "GIF", "BMP", "WEBP", "BIGGIF", "HEIF", "JPEGXL"}

// Open opens a scene and reads what it says of itself. It fails for files that GDAL can't read, and
// for those that can't be read by windows in bounded memory.
func Open(path string, o Options) (*Scene, error) {
	started()
	if strings.HasPrefix(path, "/vsi") || strings.Contains(path, "://") {
		return nil, fmt.Errorf("open scene %s: it is no file of this machine; copy it here first", path)
	}
	stat, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open scene: %w", err)
	case stat.IsDir():
		return nil, fmt.Errorf("open scene %s: it is a folder; name a raster file in it", path)
	case !stat.Mode().IsRegular():
		return nil, fmt.Errorf("open scene %s: it is a pipe or a device, not a file", path)
	case stat.Size() == 0:
		return nil, fmt.Errorf("open scene %s: the file is empty; copy it again", path)
	}
	if err := checkNames(path); err != nil {
		return nil, fmt.Errorf("open scene %s: %w", path, err)
	}
	ds, err := godal.Open(path, godal.RasterOnly(), godal.SiblingFiles(), heard)
	if err != nil {
		if strings.Contains(err.Error(), "not recognized as a supported file format") {
			return nil, fmt.Errorf("open scene %s: it is not a raster that is read; give a GeoTIFF, or one of %s", path, strings.Join(Formats(), ", "))
		}
		return nil, fmt.Errorf("open scene %s: %w; if it was cut off, copy it again", path, brief(err))
	}
	s := &Scene{ds: ds}
	if err := s.study(path, o); err != nil {
		ds.Close(heard)
		return nil, fmt.Errorf("open scene %s: %w", path, err)
	}
	s.info.FileBytes = stat.Size()
	if s.info.Captured = capturedAt(ds, path); s.info.Captured.IsZero() {
		s.info.Captured = stat.ModTime()
	}
	return s, nil
}

// study fills in what the open dataset says.
func (s *Scene) study(path string, o Options) error {
	structure := s.ds.Structure()
	s.info.Path, s.info.Format = path, s.ds.Driver().ShortName()
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
	s.info.Georef = georefOf(s.ds)
	if err := s.info.Georef.Check(); err != nil { // nobody whom it is sent to would take it
		return fmt.Errorf("its place %w; give it another: gdal_edit.py -a_srs EPSG:CODE FILE", err)
	}
	s.info.Simulated = s.ds.Metadata("SIMULATED") != ""

	var descriptions []string
	var colours []godal.ColorInterp
	for i, b := range bands {
		colour := b.ColorInterp()
		if colour == godal.CIAlpha {
			s.mask.alpha = i + 1
			continue
		}
		s.places = append(s.places, i+1)
		descriptions = append(descriptions, b.Description())
		colours = append(colours, colour)
	}
	if len(s.places) == 0 {
		return errors.New("it has only an alpha band")
	}
	hint := filepath.Base(path) + " " + s.ds.Metadata("SPACECRAFT_ID") + " " + s.ds.Metadata("PRODUCT_URI")
	s.info.Bands = chooseNames(nameBands(descriptions, hint), colours, o.Bands)
	for _, place := range s.places {
		var none *float32
		if v, ok := bands[place-1].NoData(); ok {
			f := float32(v)
			none = &f
			if s.info.NoData == nil {
				s.info.NoData = &v
			}
		}
		s.nodata = append(s.nodata, none)
	}
	s.mask.flags(bands[s.places[0]-1])
	s.scale(bands, o, filepath.Base(path))
	return nil
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

// chooseNames names the bands: by their descriptions; else by their colours; else by the names that
// the user gave in the file's order. Names that match the number of bands go before colours, which
// some writers set to red, green, blue for any first three bands.
func chooseNames(described []string, colours []godal.ColorInterp, given []string) []string {
	names := make([]string, len(described))
	byColour := map[godal.ColorInterp]string{godal.CIRed: "red", godal.CIGreen: "green", godal.CIBlue: "blue"}
	found := 0
	for i, c := range colours {
		if names[i] = byColour[c]; names[i] != "" {
			found++
		}
	}
	switch {
	case slices.ContainsFunc(described, func(s string) bool { return s != "" }):
		names = described
	case len(given) == len(described) || found < 3 && len(given) > 0:
		clear(names)
		for i := range min(len(given), len(names)) {
			names[i] = CanonicalBand(given[i])
		}
	case found < 3:
		clear(names)
	}
	for i, n := range names {
		if n == "" {
			names[i] = fmt.Sprintf("band%d", i+1)
		}
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
	err := s.ds.Close(heard)
	s.ds = nil
	return err
}

// Require says which of the wanted bands the scene lacks, as a *BandError.
func (i Info) Require(bands ...string) error {
	if _, err := pick(i.Bands, bands); err != nil {
		return fmt.Errorf("scene %s: %w", i.Path, err)
	}
	return nil
}
