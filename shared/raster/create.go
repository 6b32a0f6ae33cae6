package raster

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/airbusgeo/godal"
)

// Layout is what a new raster file is to be.
type Layout struct {
	Width, Height int
	Bands         []string
	DataType      string    // Byte, UInt16, Int16, Float32 or CFloat32
	Scalings      []Scaling // of each band, or nil
	NoData        *float64
	Georef        Georef
	Metadata      map[string]string
	Creation      []string // options of GDAL's GTiff driver; nil: tiled, ZSTD level 1, 16-bit differencing
}

// Writer writes a GeoTIFF window by window, in any order. The file appears under its name only when
// Finish has written all of it.
type Writer struct {
	mu         sync.Mutex
	ds         *godal.Dataset
	part, path string
	layout     Layout
}

var dataTypes = map[string]godal.DataType{"Byte": godal.Byte, "UInt16": godal.UInt16, "Int16": godal.Int16, "Float32": godal.Float32, "CFloat32": godal.CFloat32}

// Create begins a file at path.
func Create(path string, l Layout) (*Writer, error) {
	started()
	kind, ok := dataTypes[l.DataType]
	if !ok || l.Width <= 0 || l.Height <= 0 || len(l.Bands) == 0 || l.Scalings != nil && len(l.Scalings) != len(l.Bands) {
		return nil, fmt.Errorf("create %s: %d x %d pixels of %q, %d bands, %d scalings", path, l.Width, l.Height, l.DataType, len(l.Bands), len(l.Scalings))
	}
	w := &Writer{path: path, part: path + ".part", layout: l}
	if err := probe(w.part); err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	options := l.Creation
	if options == nil {
		options = []string{"TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "INTERLEAVE=BAND", "COMPRESS=ZSTD", "ZSTD_LEVEL=1",
			"PHOTOMETRIC=MINISBLACK", "BIGTIFF=IF_SAFER"}
		if kind != godal.Float32 && kind != godal.CFloat32 {
			options = append(options, "PREDICTOR=2")
		}
	}
	ds, err := godal.Create(godal.GTiff, w.part, len(l.Bands), kind, l.Width, l.Height, reportErrors, godal.CreationOption(options...))
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, brief(err))
	}
	w.ds = ds
	c := Coding{Scalings: l.Scalings, NoData: l.NoData}
	if c.Scalings == nil {
		for range l.Bands {
			c.Scalings = append(c.Scalings, Scaling{Scale: 1})
		}
	}
	err = describe(ds, l.Georef, l.Bands, c)
	for key, value := range l.Metadata {
		if err == nil {
			err = ds.SetMetadata(key, value, reportErrors)
		}
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return w, nil
}

// probe says in the system's own words why a file can't be made.
func probe(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("%w; choose a folder that exists and can be written", err)
	}
	return f.Close()
}

// Write writes a window of all bands, band after band. pixels is a []byte, []int16, []uint16,
// []float32 or []complex64 and is converted to the file's type.
func (w *Writer) Write(at Window, pixels any) error {
	n := 0
	switch p := pixels.(type) {
	case []byte:
		n = len(p)
	case []int16:
		n = len(p)
	case []uint16:
		n = len(p)
	case []float32:
		n = len(p)
	case []complex64:
		n = len(p)
	}
	if !at.In(w.layout.Width, w.layout.Height) || n != at.W*at.H*len(w.layout.Bands) {
		return fmt.Errorf("write %s of %s: %d numbers of %T for %d bands of a %d x %d raster",
			at, w.path, n, pixels, len(w.layout.Bands), w.layout.Width, w.layout.Height)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ds == nil {
		return fmt.Errorf("write %s: %w", w.path, os.ErrClosed)
	}
	if err := w.ds.Write(at.X, at.Y, pixels, at.W, at.H, godal.BandInterleaved(), reportErrors); err != nil {
		return fmt.Errorf("write %s of %s: %w", at, w.path, brief(err))
	}
	return nil
}

// Finish completes the file and gives it its name.
func (w *Writer) Finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ds == nil {
		return fmt.Errorf("finish %s: %w", w.path, os.ErrClosed)
	}
	err := w.ds.Close(reportErrors)
	w.ds = nil
	if err != nil {
		os.Remove(w.part)
		return fmt.Errorf("finish %s: %w", w.path, brief(err))
	}
	if err := os.Rename(w.part, w.path); err != nil {
		return fmt.Errorf("finish %s: %w", w.path, err)
	}
	return nil
}

// Close gives up an unfinished file; after Finish it does nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ds == nil {
		return nil
	}
	err := w.ds.Close(reportErrors)
	w.ds = nil
	if e := os.Remove(w.part); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}
