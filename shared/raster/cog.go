package raster

import (
	"fmt"
	"os"

	"github.com/airbusgeo/godal"
)

// FinishCOG writes what is there as a Cloud Optimized GeoTIFF: 512-pixel tiles, DEFLATE (32-bit numbers: ZSTD), and
// overviews down to one tile, resampled by NEAREST, AVERAGE, RMS or another of GDAL's ways. The working file stays
// open: it may be written to and finished again, and Close removes it.
func (w *Writer) FinishCOG(cog, resampling string) error {
	part := cog + ".part"
	if err := probe(part); err != nil {
		return fmt.Errorf("write %s: %w", cog, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ds == nil {
		return fmt.Errorf("write %s: %w", cog, os.ErrClosed)
	}
	options := []string{"BLOCKSIZE=512", "OVERVIEW_RESAMPLING=" + resampling, "OVERVIEWS=IGNORE_EXISTING", "BIGTIFF=IF_SAFER", "NUM_THREADS=ALL_CPUS"}
	if w.layout.DataType == "Float32" { // most of what is left in amplitudes is noise: a slower way finds little more in it
		options = append(options, "COMPRESS=ZSTD", "LEVEL=1", "PREDICTOR=YES")
	} else {
		options = append(options, "COMPRESS=DEFLATE")
	}
	out, err := w.ds.Translate(part, []string{"-of", "COG"}, reportErrors, godal.CreationOption(options...))
	if err == nil {
		err = out.Close(reportErrors)
	}
	if err != nil {
		os.Remove(part)
		return fmt.Errorf("write %s: %w", cog, brief(err))
	}
	if err := os.Rename(part, cog); err != nil {
		return fmt.Errorf("write %s: %w", cog, err)
	}
	return nil
}
