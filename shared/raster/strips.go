package raster

import (
	"fmt"
	"math"
)

// StripRows is how many rows a strip of a radar's image has: those of a row of its file's tiles. Where strips are
// written in order, each once, the files' bytes depend on the pixels alone.
const StripRows = 256

// radarLayout is a raster of one band as tiles of 256 x 256 numbers, uncompressed. Tiles that are never written take
// no room and read as none.
func radarLayout(width, height int, band, kind string, none float64, metadata map[string]string) Layout {
	return Layout{
		Width: width, Height: height, Bands: []string{band}, DataType: kind, NoData: &none, Metadata: metadata,
		Creation: []string{"TILED=YES", "BLOCKXSIZE=256", fmt.Sprint("BLOCKYSIZE=", StripRows), "SPARSE_OK=TRUE", "BIGTIFF=IF_SAFER"},
	}
}

// CreateComplex begins a GeoTIFF of complex numbers (CFloat32) in a radar's own geometry; 0 is no data.
func CreateComplex(path string, width, height int, metadata map[string]string) (*Writer, error) {
	return Create(path, radarLayout(width, height, "complex", "CFloat32", 0, metadata))
}

// CreateAmplitude begins a working file of amplitudes (Float32), of which FinishCOG makes the product; NaN is no data.
func CreateAmplitude(path string, width, height int, metadata map[string]string) (*Writer, error) {
	return Create(path, radarLayout(width, height, "amplitude", "Float32", math.NaN(), metadata))
}
