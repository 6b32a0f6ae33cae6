package raster

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cloudcanvas/shared/vision"

	"github.com/airbusgeo/godal"
)

// maxWindowPixels bounds one Read, and maxWindowBytes what it makes of all bands.
const (
	maxWindowPixels = 64 << 20
	maxWindowBytes  = 2 << 30
)

// maskKind is how a file marks pixels without data, besides their values.
type maskKind struct {
	alpha int  // band number, 0 for none
	band  bool // a mask band (GDAL's per-dataset mask)
}

// GDAL's mask flags (gdal.h: GMF_PER_DATASET, GMF_NODATA).
const (
	perDataset = 0x02
	byNodata   = 0x08
)

func (m *maskKind) flags(b godal.Band) {
	f := b.MaskFlags()
	m.band = m.alpha == 0 && f&perDataset != 0 && f&byNodata == 0
}

// Read gives a window of the named bands (nil: all) as reflectance, in that order. Pixels without
// data are marked in Void and are 0 in every plane. A pixel has no data where
//
//   - the file's mask or alpha band says so;
//   - any band is NaN or infinite;
//   - any of the bands read holds its no-data number; in 8-bit files, where 0 is also black, all do;
//   - all of two or more bands read are 0 in a file of whole numbers that declares no no-data number.
//
// A broken part of the file is an error for the windows that touch it; others can still be read.
func (s *Scene) Read(w Window, bands []string) (vision.Image, error) {
	if !w.In(s.info.Width, s.info.Height) || w.W*w.H > maxWindowPixels {
		return vision.Image{}, fmt.Errorf("read %s of scene %s: the scene has %d x %d pixels, and at most %d megapixels are read at once",
			w, s.info.Path, s.info.Width, s.info.Height, maxWindowPixels>>20)
	}
	return s.read(w, w.W, w.H, bands, godal.Nearest)
}

// read gives a window in width x height pixels.
func (s *Scene) read(w Window, width, height int, bands []string, by godal.ResamplingAlg) (vision.Image, error) {
	if bands == nil {
		bands = s.info.Bands
	}
	places, err := pick(s.info.Bands, bands)
	if err != nil {
		return vision.Image{}, fmt.Errorf("read scene %s: %w", s.info.Path, err)
	}
	if n := times(int64(width), int64(height), int64(len(places)), 4); n > maxWindowBytes {
		return vision.Image{}, fmt.Errorf("read %s of scene %s: %d x %d pixels of %d bands take %d bytes, at most %d are read at once",
			w, s.info.Path, width, height, len(places), n, int64(maxWindowBytes))
	}
	if s.palette != nil {
		by = godal.Nearest // there is no mean of numbers that stand for colours
	}
	pixels, mask, err := s.fetch(w, width, height, places, by)
	if err != nil {
		return vision.Image{}, fmt.Errorf("read %s of scene %s: %w", w, s.info.Path, err)
	}
	im := vision.Image{W: width, H: height, Bands: slices.Clone(bands)}
	n := width * height
	for i := range places {
		im.Planes = append(im.Planes, pixels[i*n:(i+1)*n:(i+1)*n])
		im.Bands[i] = CanonicalBand(im.Bands[i])
	}
	im.Void = s.voids(im.Planes, places, mask)
	if s.palette != nil {
		im.Void = s.palette.colour(im.Planes, places, im.Void)
	}
	for i, plane := range im.Planes {
		scaling := s.scalings[places[i]]
		for k, v := range plane {
			plane[k] = scaling.apply(v)
		}
	}
	blank(im)
	return im, nil
}

// fetch reads the stored numbers, and the mask where the file has one (0 is no data).
func (s *Scene) fetch(w Window, width, height int, places []int, by godal.ResamplingAlg) (pixels []float32, mask []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ds == nil {
		return nil, nil, fmt.Errorf("the scene is closed")
	}
	if len(places) == 0 {
		return nil, nil, fmt.Errorf("no bands are asked for")
	}
	numbers := make([]int, len(places))
	for i, p := range places {
		numbers[i] = s.places[p] - 1 // godal counts from 0
	}
	if s.blocks != nil && width == w.W && height == w.H {
		if pixels, err = s.blocks.read(w, numbers); err != nil {
			return nil, nil, brokenPart{err}
		}
		return pixels, nil, nil // its metadata say what has no data
	}
	pixels = make([]float32, len(places)*width*height)
	if err := s.ds.Read(w.X, w.Y, pixels, width, height, godal.Window(w.W, w.H), godal.Resampling(by), godal.Bands(numbers...), godal.BandInterleaved(), reportErrors); err != nil {
		return nil, nil, brokenPart{brief(err)}
	}
	if s.mask.alpha == 0 && !s.mask.band {
		return pixels, nil, nil
	}
	band := s.ds.Bands()[numbers[0]].MaskBand()
	if s.mask.alpha > 0 {
		band = s.ds.Bands()[s.mask.alpha-1]
	}
	mask = make([]byte, width*height)
	if err := band.Read(w.X, w.Y, mask, width, height, godal.Window(w.W, w.H), reportErrors); err != nil {
		return nil, nil, brokenPart{fmt.Errorf("its mask: %w", brief(err))}
	}
	return pixels, mask, nil
}

// voids marks the pixels without data among stored numbers; nil if there are none.
func (s *Scene) voids(planes [][]float32, places []int, mask []byte) []byte {
	nodata := make([]*float32, len(places))
	declared := false
	for i, p := range places {
		nodata[i] = s.nodata[p]
		declared = declared || nodata[i] != nil
	}
	whole := !strings.HasPrefix(s.info.DataType, "Float")
	every := s.info.DataType == "Byte"
	if !declared && whole && mask == nil && len(places) > 1 && s.palette == nil {
		zero := float32(0)
		for i := range nodata {
			nodata[i] = &zero
		}
		every = true
	}
	void := markVoids(planes, nodata, every, !whole)
	if mask == nil {
		return void
	}
	if void == nil {
		void = make([]byte, len(mask))
	}
	for i, m := range mask {
		if m == 0 {
			void[i] = 1
		}
	}
	return trim(void)
}

// markVoids marks pixels whose bands hold their no-data number: all of them (every), or any; and
// those that are not finite.
func markVoids(planes [][]float32, nodata []*float32, every, floats bool) []byte {
	n := len(planes[0])
	hits := make([]uint16, n)
	declared := 0
	for b, plane := range planes {
		if floats {
			for i, v := range plane {
				if v-v != 0 { // NaN or infinite
					hits[i] = math.MaxUint16 / 2
				}
			}
		}
		if nodata[b] == nil {
			continue
		}
		declared++
		none := *nodata[b]
		for i, v := range plane {
			if v == none {
				hits[i]++
			}
		}
	}
	need := uint16(1)
	if every && declared > 0 {
		need = uint16(declared)
	}
	void := make([]byte, n)
	for i, h := range hits {
		if h >= need {
			void[i] = 1
		}
	}
	return trim(void)
}

// trim is void, or nil if it marks nothing.
func trim(void []byte) []byte {
	if slices.Contains(void, 1) {
		return void
	}
	return nil
}

// blank makes pixels without data 0, so that no network is fed NaN or a no-data number.
func blank(im vision.Image) {
	for i, v := range im.Void {
		if v != 0 {
			for _, plane := range im.Planes {
				plane[i] = 0
			}
		}
	}
}

// ReadClasses gives a window of the first band as it is stored, for rasters of classes: uint8, one a
// pixel, row by row.
func (s *Scene) ReadClasses(w Window) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ds == nil {
		return nil, fmt.Errorf("read classes of %s: it is closed", s.info.Path)
	}
	if !w.In(s.info.Width, s.info.Height) || w.W*w.H > maxWindowPixels {
		return nil, fmt.Errorf("read classes of %s: %s is not within %d x %d pixels", s.info.Path, w, s.info.Width, s.info.Height)
	}
	class := make([]byte, w.W*w.H)
	if err := s.ds.Bands()[0].Read(w.X, w.Y, class, w.W, w.H, reportErrors); err != nil {
		return nil, fmt.Errorf("read classes of %s at %s: %w", s.info.Path, w, brief(err))
	}
	return class, nil
}
