package raster

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cloudcanvas/shared/vision"

	"github.com/airbusgeo/godal"
)

// Coding is how a tile's reflectance is stored as whole numbers. The zero Coding quantises to
// UInt16 in steps of 0.0001 from -0.1 (so 1 stands for -0.0999, and 6.4535 is the most); 0 is no data.
type Coding struct {
	DataType string    // Byte, UInt16 or Int16; "" for the quantisation
	Scalings []Scaling // of each band of the image
	NoData   *float64  // the number that marks pixels without data
}

var quantised = Scaling{Scale: 0.0001, Offset: -0.1}

// Coding is how tiles of these bands (nil: all) keep the scene's own numbers: the same type, scale
// and no-data number, where the type is a whole number of 8 or 16 bits; else the quantisation.
func (s *Scene) Coding(bands []string) (Coding, error) {
	if bands == nil {
		bands = s.info.Bands
	}
	places, err := pick(s.info.Bands, bands)
	if err != nil {
		return Coding{}, fmt.Errorf("scene %s: %w", s.info.Path, err)
	}
	if !slices.Contains([]string{"Byte", "UInt16", "Int16"}, s.info.DataType) {
		return Coding{}, nil
	}
	c := Coding{DataType: s.info.DataType, NoData: s.info.NoData}
	low, high := c.limits()
	if c.NoData != nil && (*c.NoData < low || *c.NoData > high || *c.NoData != math.Trunc(*c.NoData)) {
		c.NoData = nil // a number that no pixel can hold
	}
	for _, p := range places {
		c.Scalings = append(c.Scalings, s.scalings[p])
	}
	return c, nil
}

func (c Coding) limits() (low, high float64) {
	switch c.DataType {
	case "Byte":
		return 0, math.MaxUint8
	case "Int16":
		return math.MinInt16, math.MaxInt16
	}
	return 0, math.MaxUint16
}

// EncodeTile writes an image of planes as a GeoTIFF in memory: one block, ZSTD level 1 with
// horizontal differencing, band names, scale and offset kept, georeferenced by g where g is known.
// Pixels in Void hold the no-data number; a valid pixel that would hold it is moved by one step.
func EncodeTile(im vision.Image, g Georef, c Coding) ([]byte, error) {
	if im.W <= 0 || im.H <= 0 || len(im.Planes) == 0 || len(im.Bands) != len(im.Planes) {
		return nil, fmt.Errorf("encode a tile: %d x %d pixels, %d planes, %d names", im.W, im.H, len(im.Planes), len(im.Bands))
	}
	for i, plane := range im.Planes {
		if len(plane) != im.W*im.H {
			return nil, fmt.Errorf("encode a tile: band %s has %d values for %d x %d pixels", im.Bands[i], len(plane), im.W, im.H)
		}
	}
	if c.DataType == "" {
		zero := 0.0
		c = Coding{DataType: "UInt16", Scalings: slices.Repeat([]Scaling{quantised}, len(im.Planes)), NoData: &zero}
	}
	if len(c.Scalings) != len(im.Planes) {
		return nil, fmt.Errorf("encode a tile: %d scalings for %d bands", len(c.Scalings), len(im.Planes))
	}
	if c.NoData == nil && im.Void != nil {
		zero := 0.0
		c.NoData = &zero
	}
	started()
	numbers := c.numbers(im)
	switch c.DataType {
	case "Byte":
		return writeTile(im, g, c, godal.Byte, narrow[byte](numbers))
	case "Int16":
		return writeTile(im, g, c, godal.Int16, narrow[int16](numbers))
	case "UInt16":
		return writeTile(im, g, c, godal.UInt16, narrow[uint16](numbers))
	}
	return nil, fmt.Errorf("encode a tile: no data type %s; use Byte, UInt16 or Int16", c.DataType)
}

// numbers are the stored numbers, band after band.
func (c Coding) numbers(im vision.Image) []int32 {
	low, high := c.limits()
	n := im.W * im.H
	out := make([]int32, n*len(im.Planes))
	for b, plane := range im.Planes {
		scaling, to := c.Scalings[b], out[b*n:]
		for i, v := range plane {
			d := math.Floor(scaling.invert(v) + 0.5)
			if !(d >= low) { // also NaN
				d = low
			} else if d > high {
				d = high
			}
			to[i] = int32(d)
		}
	}
	if c.NoData == nil {
		return out
	}
	none := int32(*c.NoData)
	beside := none + 1
	if float64(beside) > high {
		beside = none - 1
	}
	for i := range n {
		void := im.Void != nil && im.Void[i] != 0
		hits := 0
		for at := i; at < len(out); at += n {
			if void {
				out[at] = none
			} else if out[at] == none {
				hits++
			}
		}
		if hits == 0 || c.DataType == "Byte" && hits < len(im.Planes) {
			continue
		}
		for at := i; at < len(out); at += n {
			if out[at] == none {
				out[at] = beside
			}
		}
	}
	return out
}

func narrow[T byte | int16 | uint16](from []int32) []T {
	to := make([]T, len(from))
	for i, v := range from {
		to[i] = T(v)
	}
	return to
}

func writeTile[T byte | int16 | uint16](im vision.Image, g Georef, c Coding, kind godal.DataType, pixels []T) ([]byte, error) {
	name := memoryFile()
	defer dropMemory(name)
	block := func(n int) int { return (n + 15) / 16 * 16 }
	ds, err := godal.Create(godal.GTiff, name, len(im.Planes), kind, im.W, im.H, heard, godal.CreationOption(
		"COMPRESS=ZSTD", "ZSTD_LEVEL=1", "PREDICTOR=2", "INTERLEAVE=BAND", "TILED=YES", "PHOTOMETRIC=MINISBLACK",
		fmt.Sprintf("BLOCKXSIZE=%d", block(im.W)), fmt.Sprintf("BLOCKYSIZE=%d", block(im.H))))
	if err != nil {
		return nil, fmt.Errorf("encode a tile: %w", brief(err))
	}
	err = describe(ds, g, im.Bands, c)
	if err == nil {
		if err = ds.Write(0, 0, pixels, im.W, im.H, godal.BandInterleaved(), heard); err != nil {
			err = brief(err)
		}
	}
	if e := ds.Close(heard); err == nil && e != nil {
		err = brief(e)
	}
	if err != nil {
		return nil, fmt.Errorf("encode a tile: %w", err)
	}
	data, err := takeMemory(name)
	if err != nil {
		return nil, fmt.Errorf("encode a tile: %w", err)
	}
	return data, nil
}

// describe writes place, band names, scale and no-data number into a new file.
func describe(ds *godal.Dataset, g Georef, names []string, c Coding) error {
	if err := g.place(ds); err != nil {
		return err
	}
	for i, b := range ds.Bands() {
		if err := b.SetDescription(names[i], heard); err != nil {
			return fmt.Errorf("name band %s: %w", names[i], brief(err))
		}
		if s := c.Scalings[i]; s != (Scaling{Scale: 1}) {
			if err := b.SetScaleOffset(s.Scale, s.Offset, heard); err != nil {
				return fmt.Errorf("scale of band %s: %w", names[i], brief(err))
			}
		}
	}
	if c.NoData != nil {
		if err := ds.SetNoData(*c.NoData, heard); err != nil {
			return fmt.Errorf("no-data number: %w", brief(err))
		}
	}
	return nil
}

// maxTileBands bounds what DecodeTile makes room for.
const maxTileBands = 32

// DecodeTile reads what EncodeTile wrote, or any small GeoTIFF of whole numbers with named bands, of
// at most limit pixels. Nothing is guessed: pixels are void where they hold the no-data number. The
// size is looked at before anything is decoded.
func DecodeTile(data []byte, limit int) (vision.Image, Georef, error) {
	im, g, err := decodeTile(data, limit)
	if err != nil {
		return vision.Image{}, Georef{}, fmt.Errorf("decode a tile of %d bytes: %w", len(data), err)
	}
	return im, g, nil
}

func decodeTile(data []byte, limit int) (im vision.Image, g Georef, err error) {
	if len(data) < 8 || !(strings.HasPrefix(string(data[:2]), "II") || strings.HasPrefix(string(data[:2]), "MM")) {
		return im, g, fmt.Errorf("not a TIFF")
	}
	if int64(len(data)) > 1<<20+int64(limit)*maxTileBands*4 {
		return im, g, fmt.Errorf("too many bytes for %d pixels", limit)
	}
	started()
	name := memoryFile()
	release, err := putMemory(name, data)
	if err != nil {
		return im, g, err
	}
	defer release()
	ds, err := godal.Open(name, godal.RasterOnly(), godal.Drivers("GTiff"), heard)
	if err != nil {
		return im, g, brief(err)
	}
	defer ds.Close(heard)
	st := ds.Structure()
	if st.SizeX <= 0 || st.SizeY <= 0 || st.SizeX > limit || st.SizeY > limit || st.SizeX*st.SizeY > limit {
		return im, g, fmt.Errorf("%d x %d pixels, at most %d are taken", st.SizeX, st.SizeY, limit)
	}
	if st.NBands < 1 || st.NBands > maxTileBands {
		return im, g, fmt.Errorf("%d bands, at most %d are taken", st.NBands, maxTileBands)
	}
	if int64(st.BlockSizeX)*int64(st.BlockSizeY) > 4*int64(limit)+1<<16 {
		return im, g, fmt.Errorf("blocks of %d x %d pixels for a tile of %d x %d", st.BlockSizeX, st.BlockSizeY, st.SizeX, st.SizeY)
	}
	kind := st.DataType.String()
	if !slices.Contains([]string{"Byte", "UInt16", "Int16"}, kind) {
		return im, g, fmt.Errorf("pixels of %s, not Byte, UInt16 or Int16", kind)
	}
	n := st.SizeX * st.SizeY
	pixels := make([]float32, n*st.NBands)
	if err := ds.Read(0, 0, pixels, st.SizeX, st.SizeY, godal.BandInterleaved(), heard); err != nil {
		return im, g, brief(err)
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
	im.Void = markVoids(im.Planes, nodata, kind == "Byte", false)
	for i, plane := range im.Planes {
		for k, v := range plane {
			plane[k] = scalings[i].apply(v)
		}
	}
	blank(im)
	return im, georefOf(ds), nil
}
