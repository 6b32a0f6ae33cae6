package raster

import (
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/vision"

	"github.com/airbusgeo/godal"
)

// Coding is how a tile's reflectance is stored as whole numbers. The zero Coding quantises to
// UInt16 in steps of 0.0001 from -0.1 (so 1 stands for -0.0999, and 6.4535 is the most); 0 is no data.
type Coding struct {
	DataType string    // Byte, UInt16 or Int16; "" for the quantisation
	Scalings []Scaling // of each band of the image
	NoData   *float64  // the number that marks pixels without data
	Inside   Window    // the part of the tile that lies in the scene; the zero Window: that is not said
}

var quantised = Scaling{Scale: 0.0001, Offset: -0.1}

// quantisation is what the zero Coding stands for.
func quantisation(bands int) Coding {
	zero := 0.0
	return Coding{DataType: "UInt16", Scalings: slices.Repeat([]Scaling{quantised}, bands), NoData: &zero}
}

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
		return quantisation(len(places)), nil
	}
	c := Coding{DataType: s.info.DataType, NoData: s.info.NoData}
	low, high := c.limits()
	if c.NoData != nil && (s.palette != nil || *c.NoData < low || *c.NoData > high || *c.NoData != math.Trunc(*c.NoData)) {
		c.NoData = nil // a number that no pixel can hold, or one of a palette
	}
	for _, p := range places {
		c.Scalings = append(c.Scalings, s.scalings[p])
	}
	return c, nil
}

func (c Coding) limits() (low, high float64) { return linktile.Limits(c.DataType) }

// EncodeTile writes an image of planes as a GeoTIFF in memory, as devices sent tiles before there was linktile: one block, ZSTD level 3 with
// horizontal differencing, band names, scale and offset kept, georeferenced by g where g is known.
// Pixels in Void hold the no-data number; a valid pixel that would hold it is moved by one step.
func EncodeTile(im vision.Image, g Georef, c Coding) ([]byte, error) {
	c, err := c.fit(im)
	if err != nil {
		return nil, err
	}
	started()
	switch c.DataType {
	case "Byte":
		return writeTile(im, g, c, godal.Byte, numbers[byte](im, c))
	case "Int16":
		return writeTile(im, g, c, godal.Int16, numbers[int16](im, c))
	case "UInt16":
		return writeTile(im, g, c, godal.UInt16, numbers[uint16](im, c))
	}
	return nil, fmt.Errorf("encode a tile: no data type %s; use Byte, UInt16 or Int16", c.DataType)
}

// fit is the coding with what is not said filled in, for an image that it can code.
func (c Coding) fit(im vision.Image) (Coding, error) {
	if im.W <= 0 || im.H <= 0 || len(im.Planes) == 0 || len(im.Bands) != len(im.Planes) {
		return c, fmt.Errorf("encode a tile: %d x %d pixels, %d planes, %d names", im.W, im.H, len(im.Planes), len(im.Bands))
	}
	for i, plane := range im.Planes {
		if len(plane) != im.W*im.H {
			return c, fmt.Errorf("encode a tile: band %s has %d values for %d x %d pixels", im.Bands[i], len(plane), im.W, im.H)
		}
	}
	if c.DataType == "" {
		inside := c.Inside
		c = quantisation(len(im.Planes))
		c.Inside = inside
	}
	if len(c.Scalings) != len(im.Planes) {
		return c, fmt.Errorf("encode a tile: %d scalings for %d bands", len(c.Scalings), len(im.Planes))
	}
	if c.NoData == nil && im.Void != nil {
		zero := 0.0
		c.NoData = &zero
	}
	return c, nil
}

// Steps are, for each band, by how many of its numbers a reflectance may be off that is kept to within
// precision; nil where that is by none.
func (c Coding) Steps(precision float64) []int {
	steps, any := make([]int, len(c.Scalings)), false
	for i, s := range c.Scalings {
		// A decimal precision that is a whole number of steps is meant as such.
		steps[i] = int(min(math.Floor(precision/math.Abs(s.Scale)+1e-9), math.MaxInt16))
		any = any || steps[i] > 0
	}
	if !any {
		return nil
	}
	return steps
}

type number interface{ byte | int16 | uint16 }

// numbers are the stored numbers, band after band.
func numbers[T number](im vision.Image, c Coding) []T {
	low, high := c.limits()
	n := im.W * im.H
	out := make([]T, n*len(im.Planes))
	var none T
	if c.NoData != nil {
		none = T(*c.NoData)
	}
	hit := im.Void != nil // some pixel holds, or must hold, the no-data number
	for b, plane := range im.Planes {
		to := out[b*n : (b+1)*n]
		factor, shift := 1/c.Scalings[b].Scale, 0.5-low-c.Scalings[b].Offset/c.Scalings[b].Scale
		for i, v := range plane {
			d := float64(v)*factor + shift // from the lowest number, so that cutting off rounds
			if !(d >= 0) {                 // also NaN
				d = 0
			} else if d > high-low {
				d = high - low
			}
			to[i] = T(int32(d) + int32(low))
			hit = hit || to[i] == none
		}
	}
	if c.NoData != nil && hit {
		keepApart(out, im, none, c)
	}
	return out
}

// keepApart gives pixels without data the no-data number, and moves the others off it where the
// reader would take them for void (see Scene.Read).
func keepApart[T number](out []T, im vision.Image, none T, c Coding) {
	n := im.W * im.H
	beside := none + 1
	if _, high := c.limits(); float64(none) == high {
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
}

func writeTile[T number](im vision.Image, g Georef, c Coding, kind godal.DataType, pixels []T) ([]byte, error) {
	name := memoryFile()
	defer dropMemory(name)
	block := func(n int) int { return (n + 15) / 16 * 16 }
	ds, err := godal.Create(godal.GTiff, name, len(im.Planes), kind, im.W, im.H, reportErrors, godal.CreationOption(
		"COMPRESS=ZSTD", "ZSTD_LEVEL=3", "PREDICTOR=2", "INTERLEAVE=BAND", "TILED=YES", "PHOTOMETRIC=MINISBLACK",
		fmt.Sprintf("BLOCKXSIZE=%d", block(im.W)), fmt.Sprintf("BLOCKYSIZE=%d", block(im.H))))
	if err != nil {
		return nil, fmt.Errorf("encode a tile: %w", brief(err))
	}
	err = describe(ds, g, im.Bands, c)
	if err == nil {
		if err = ds.Write(0, 0, pixels, im.W, im.H, godal.BandInterleaved(), reportErrors); err != nil {
			err = brief(err)
		}
	}
	if e := ds.Close(reportErrors); err == nil && e != nil {
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
		if err := b.SetDescription(names[i], reportErrors); err != nil {
			return fmt.Errorf("name band %s: %w", names[i], brief(err))
		}
		if s := c.Scalings[i]; s != (Scaling{Scale: 1}) {
			if err := b.SetScaleOffset(s.Scale, s.Offset, reportErrors); err != nil {
				return fmt.Errorf("scale of band %s: %w", names[i], brief(err))
			}
		}
	}
	if c.Inside != (Window{}) && g.EPSG != 0 {
		if err := placeInside(ds, g.EPSG, c.Inside); err != nil {
			return err
		}
	}
	if c.NoData != nil {
		if err := ds.SetNoData(*c.NoData, reportErrors); err != nil {
			return fmt.Errorf("no-data number: %w", brief(err))
		}
	}
	return nil
}
