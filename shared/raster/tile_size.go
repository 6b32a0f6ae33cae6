package raster

import (
	"fmt"
	"strings"

	"github.com/airbusgeo/godal"
)

// maxTileBytes is the most memory that DecodeTile takes, whoever asks: a tile has 1.5 MiB.
const maxTileBytes = 1 << 30

// TileBytes is how much memory DecodeTile takes for a tile, as its header has it. Nothing is decoded.
func TileBytes(data []byte) (int64, error) {
	size := int64(0)
	err := openTile(data, func(ds *godal.Dataset) error {
		size = tileBytes(ds, len(data))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("look at a tile of %d bytes: %w", len(data), err)
	}
	return size, nil
}

// openTile opens a TIFF in memory.
func openTile(data []byte, do func(*godal.Dataset) error) error {
	if len(data) < 8 || !(strings.HasPrefix(string(data[:2]), "II") || strings.HasPrefix(string(data[:2]), "MM")) {
		return fmt.Errorf("not a TIFF")
	}
	started()
	name := memoryFile()
	release, err := putMemory(name, data)
	if err != nil {
		return err
	}
	defer release()
	ds, err := godal.Open(name, godal.RasterOnly(), godal.Drivers("GTiff"), reportErrors)
	if err != nil {
		return brief(err)
	}
	defer ds.Close(reportErrors)
	return do(ds)
}

// tileBytes counts what decoding makes: the values of all bands, two marks a pixel for those without data,
// a block as it is stored, of all bands where they are interleaved, and GDAL's copy of the file.
func tileBytes(ds *godal.Dataset, file int) int64 {
	st := ds.Structure()
	pixels := times(int64(st.SizeX), int64(st.SizeY))
	block := times(int64(st.BlockSizeX), int64(st.BlockSizeY), int64(st.DataType.Size()), int64(st.NBands))
	total := int64(0)
	for _, n := range []int64{times(pixels, int64(st.NBands), 4), times(pixels, 3), block, int64(file)} {
		if total += n; total < 0 || n == endless {
			return endless
		}
	}
	return total
}

// endless stands for more than can be counted.
const endless = 1<<63 - 1

// product multiplies sides from outside without an overflow.
func times(of ...int64) int64 {
	total := int64(1)
	for _, n := range of {
		switch {
		case n <= 0:
			return 0
		case total > endless/n:
			return endless
		}
		total *= n
	}
	return total
}

// fitsBytes refuses a tile that takes too much memory, in words that have the numbers.
func fitsBytes(ds *godal.Dataset, file int) error {
	if n := tileBytes(ds, file); n > maxTileBytes {
		st := ds.Structure()
		return fmt.Errorf("%d x %d pixels of %d bands in blocks of %d x %d take %d bytes when they are decoded, at most %d are taken",
			st.SizeX, st.SizeY, st.NBands, st.BlockSizeX, st.BlockSizeY, n, int64(maxTileBytes))
	}
	return nil
}
