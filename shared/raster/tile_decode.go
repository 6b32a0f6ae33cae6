package raster

import (
	"fmt"
	"slices"
	"strings"

	"cloudcanvas/shared/vision"

	"github.com/airbusgeo/godal"
)

// maxTileBands bounds what DecodeTile makes room for.
const maxTileBands = 32

// DecodeTile reads what EncodeTile wrote, or any small GeoTIFF of whole numbers with named bands, of
// at most limit pixels. Nothing is guessed: pixels are void where they hold the no-data number. The
// size is looked at before anything is decoded.
func DecodeTile(data []byte, limit int) (vision.Image, error) {
	im, err := decodeTile(data, limit)
	if err != nil {
		return vision.Image{}, fmt.Errorf("decode a tile of %d bytes: %w", len(data), err)
	}
	return im, nil
}

func decodeTile(data []byte, limit int) (im vision.Image, err error) {
	if len(data) < 8 || !(strings.HasPrefix(string(data[:2]), "II") || strings.HasPrefix(string(data[:2]), "MM")) {
		return im, fmt.Errorf("not a TIFF")
	}
	if int64(len(data)) > 1<<20+int64(limit)*maxTileBands*4 {
		return im, fmt.Errorf("too many bytes for %d pixels", limit)
	}
	started()
	name := memoryFile()
	release, err := putMemory(name, data)
	if err != nil {
		return im, err
	}
	defer release()
	ds, err := godal.Open(name, godal.RasterOnly(), godal.Drivers("GTiff"), reportErrors)
	if err != nil {
		return im, brief(err)
	}
	defer ds.Close(reportErrors)
	st := ds.Structure()
	if st.SizeX <= 0 || st.SizeY <= 0 || st.SizeX > limit || st.SizeY > limit || st.SizeX*st.SizeY > limit {
		return im, fmt.Errorf("%d x %d pixels, at most %d are taken", st.SizeX, st.SizeY, limit)
	}
	if st.NBands < 1 || st.NBands > maxTileBands {
		return im, fmt.Errorf("%d bands, at most %d are taken", st.NBands, maxTileBands)
	}
	if int64(st.BlockSizeX)*int64(st.BlockSizeY) > 4*int64(limit)+1<<16 {
		return im, fmt.Errorf("blocks of %d x %d pixels for a tile of %d x %d", st.BlockSizeX, st.BlockSizeY, st.SizeX, st.SizeY)
	}
	if err := fitsBytes(ds, len(data)); err != nil {
		return im, err
	}
	kind := st.DataType.String()
	if !slices.Contains([]string{"Byte", "UInt16", "Int16"}, kind) {
		return im, fmt.Errorf("pixels of %s, not Byte, UInt16 or Int16", kind)
	}
	n := st.SizeX * st.SizeY
	pixels := make([]float32, n*st.NBands)
	if err := ds.Read(0, 0, pixels, st.SizeX, st.SizeY, godal.BandInterleaved(), reportErrors); err != nil {
		return im, brief(err)
	}
	im = vision.Image{W: st.SizeX, H: st.SizeY}
	var nodata []*float32
	var scalings []Scaling
	for i, b := range ds.Bands() {
		im.Planes = append(im.Planes, pixels[i*n:(i+1)*n:(i+1)*n])
		im.Bands = append(im.Bands, CanonicalBand(b.Description()))
		var none *float32
		if v, ok := b.NoData(); ok {
			f := float32(v)
			none = &f
		}
		nodata = append(nodata, none)
		own := b.Structure()
		scalings = append(scalings, Scaling{own.Scale, own.Offset})
	}
	reflectance(&im, nodata, scalings, kind == "Byte")
	return im, nil
}

// reflectance turns stored numbers, in place, into reflectance, and marks what has no data.
func reflectance(im *vision.Image, nodata []*float32, scalings []Scaling, every bool) {
	im.Void = markVoids(im.Planes, nodata, every, false)
	for i, plane := range im.Planes {
		for k, v := range plane {
			plane[k] = scalings[i].apply(v)
		}
	}
	blank(*im)
}
