package raster

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/airbusgeo/godal"
)

// Complex is an open GeoTIFF of complex numbers, such as a focused radar image. Close it. One call at a time is
// served.
type Complex struct {
	mu            sync.Mutex
	ds            *godal.Dataset
	path          string
	Width, Height int
}

// OpenComplex opens a GeoTIFF of one band of complex numbers, of whatever precision.
func OpenComplex(path string) (*Complex, error) {
	started()
	fail := func(err error) (*Complex, error) { return nil, fmt.Errorf("open complex image %s: %w", path, err) }
	if stat, err := os.Stat(path); err != nil {
		return nil, err
	} else if !stat.Mode().IsRegular() {
		return fail(errors.New("it is no file"))
	}
	ds, err := godal.Open(path, godal.RasterOnly(), godal.Drivers("GTiff"), godal.SiblingFiles(), reportErrors)
	if err != nil {
		return fail(brief(err))
	}
	c := &Complex{ds: ds, path: path, Width: ds.Structure().SizeX, Height: ds.Structure().SizeY}
	if bands := ds.Bands(); len(bands) != 1 || !strings.HasPrefix(bands[0].Structure().DataType.String(), "C") {
		kind := ds.Structure().DataType
		c.Close()
		return fail(fmt.Errorf("it has %d bands of %s; one band of complex numbers (CFloat32) is wanted, as slc.tif has it", len(bands), kind))
	}
	b := ds.Bands()[0].Structure()
	if n := times(int64(b.BlockSizeX), int64(b.BlockSizeY), 16); n > maxBlockBytes {
		c.Close()
		return fail(fmt.Errorf("its blocks of %d x %d pixels are too large; tile it: gdal_translate -co TILED=YES IN OUT", b.BlockSizeX, b.BlockSizeY))
	}
	return c, nil
}

// Metadata is an entry of the file's own; empty: there is none.
func (c *Complex) Metadata(key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ds.Metadata(key)
}

// Read gives a window's numbers, row by row.
func (c *Complex) Read(w Window) ([]complex64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !w.In(c.Width, c.Height) || w.W*w.H > maxWindowPixels {
		return nil, fmt.Errorf("read %s of %s: it has %d x %d pixels, and at most %d megapixels are read at once", w, c.path, c.Width, c.Height, maxWindowPixels>>20)
	}
	pixels := make([]complex64, w.W*w.H)
	if err := c.ds.Read(w.X, w.Y, pixels, w.W, w.H, reportErrors); err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", w, c.path, brief(err))
	}
	return pixels, nil
}

// Close closes the file.
func (c *Complex) Close() error { return c.ds.Close(reportErrors) }
