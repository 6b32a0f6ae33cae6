package raster

import (
	"fmt"
	"os"

	"cloudcanvas/shared/vision"

	"github.com/airbusgeo/godal"
)

// MaskWriter collects a scene's classes window by window, in any order, in a file beside the
// product; what was never written is vision.NoData. Memory does not grow with the scene.
type MaskWriter struct{ w *Writer }

// CreateMask begins a mask in a working file at path, which Close removes.
func CreateMask(path string, width, height int, g Georef) (*MaskWriter, error) {
	none := float64(vision.NoData)
	w, err := Create(path, Layout{
		Width: width, Height: height, Bands: []string{"class"}, DataType: "Byte", NoData: &none, Georef: g,
		Metadata: map[string]string{"CLASSES": "0 clear, 1 cloud shadow, 2 cloud, 254 not judged, 255 no data"},
		// Blocks that are not there read as no data. Uncompressed, so that they can be written again in place.
		Creation: []string{"TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "SPARSE_OK=TRUE", "BIGTIFF=IF_SAFER"},
	})
	if err != nil {
		return nil, err
	}
	if err := w.ds.Bands()[0].SetColorTable(maskColours(), reportErrors); err != nil {
		w.Close()
		return nil, fmt.Errorf("create %s: its colours: %w", path, brief(err))
	}
	return &MaskWriter{w}, nil
}

// maskColours are how viewers show the classes: clear and no data let what lies below through, what nobody
// judged is gray.
func maskColours() godal.ColorTable {
	t := godal.ColorTable{PaletteInterp: godal.RGBPalette, Entries: make([][4]int16, 256)}
	t.Entries[vision.Shadow] = [4]int16{150, 60, 220, 255}
	t.Entries[vision.Cloud] = [4]int16{255, 255, 255, 255}
	t.Entries[vision.NotJudged] = [4]int16{96, 96, 96, 255}
	return t
}

// Write sets the classes of a window, row by row.
func (m *MaskWriter) Write(at Window, class []byte) error { return m.w.Write(at, class) }

// Read gives the classes of a window as they are now.
func (m *MaskWriter) Read(at Window) ([]byte, error) {
	if !at.In(m.w.layout.Width, m.w.layout.Height) {
		return nil, fmt.Errorf("read %s of %s: it has %d x %d pixels", at, m.w.path, m.w.layout.Width, m.w.layout.Height)
	}
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if m.w.ds == nil {
		return nil, fmt.Errorf("read %s: %w", m.w.path, os.ErrClosed)
	}
	class := make([]byte, at.W*at.H)
	if err := m.w.ds.Read(at.X, at.Y, class, at.W, at.H, reportErrors); err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", at, m.w.path, brief(err))
	}
	return class, nil
}

// Finish writes what is there as a Cloud Optimized GeoTIFF: 512-pixel tiles, DEFLATE, no-data 255,
// overviews by nearest neighbour down to one tile. The mask stays open: a scene whose late tiles
// come in is finished again.
func (m *MaskWriter) Finish(cog string) error {
	return m.w.FinishCOG(cog, "NEAREST")
}

// Close removes the working file.
func (m *MaskWriter) Close() error {
	return m.w.Close()
}
