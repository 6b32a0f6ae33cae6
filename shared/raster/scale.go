package raster

import (
	"math"
	"slices"
	"strings"

	"github.com/airbusgeo/godal"
)

// Scaling turns a band's stored numbers into reflectance: number x Scale + Offset. Which one a band
// gets is decided in this order:
//
//  1. "option": Options.ReflectanceScale, with ReflectanceOffset or none.
//  2. "file" or "product": the band's own scale and offset, or those of the product's metadata.
//  3. "metadata" or "product name": Sentinel-2 from processing baseline 04.00 on, 0.0001 and -0.1;
//     Landsat Collection products: level 1 (LC08_L1TP…) 0.00002 and -0.1 (top of atmosphere, before
//     the sun's height), level 2 (…_L2SP…) 0.0000275 and -0.2.
//     "band names": SR_B2 … as Earth Engine and STAC have Landsat Collection 2 level 2, sur_refl_b01 … MODIS.
//  4. "picture": 8-bit bands, 1/255.
//  5. floating point: "reflectance" as it is; but where samples of the scene lie above 10 it is a
//     stored product after all, and 6 applies. Reflectance stays below 2 even on glinting cloud edges.
//  6. "assumed": 0.0001, what Sentinel-2 before 2022 and most others use.
//
// ReflectanceOffset alone takes the place of the offset that was found.
type Scaling struct{ Scale, Offset float64 }

// apply is the reflectance of a stored number. Reading a scene and decoding a tile both use it, so
// that a tile has exactly its scene's values.
func (s Scaling) apply(number float32) float32 { return float32(float64(number)*s.Scale + s.Offset) }

const (
	assumedScale = 0.0001
	storedAbove  = 10
)

// Where a scaling comes from that only the pixels' type tells.
const (
	Picture     = "picture"
	Reflectance = "reflectance"
)

// scale decides the scaling of every band.
func (s *Scene) scale(bands []godal.Band, o Options, from origin) {
	s.scalings = make([]Scaling, len(s.places))
	if o.ReflectanceScale > 0 {
		for i := range s.scalings {
			s.scalings[i] = Scaling{Scale: o.ReflectanceScale}
		}
		s.info.ScaleFrom = FromOption
	} else {
		s.findScalings(bands, from)
	}
	if o.ReflectanceOffset != nil {
		for i := range s.scalings {
			s.scalings[i].Offset = *o.ReflectanceOffset
		}
		s.info.ScaleFrom = FromOption
	}
}

// findScalings takes the bands' own scalings, and for those without one what the scene looks like.
func (s *Scene) findScalings(bands []godal.Band, from origin) {
	for i, place := range s.places {
		own := bands[place-1].Structure()
		if own.Scale != 0 && (own.Scale != 1 || own.Offset != 0) {
			s.scalings[i] = Scaling{own.Scale, own.Offset}
			s.info.ScaleFrom = from.ownScale()
		}
	}
	rest, where := s.otherScaling(from)
	if s.info.ScaleFrom == "" {
		s.info.ScaleFrom = where
	}
	for i := range s.scalings {
		if s.scalings[i].Scale == 0 {
			s.scalings[i] = rest
		}
	}
}

// otherScaling is that of bands without their own.
func (s *Scene) otherScaling(from origin) (Scaling, string) {
	kind := s.info.DataType
	floats := strings.HasPrefix(kind, "Float")
	if known, where := from.scaling(); !floats && kind != "Byte" && where != "" {
		return known, where
	}
	byNames, named := scalingOfWords(s.info.described)
	switch {
	case named && !floats && kind != "Byte":
		return byNames, FromBands
	case kind == "Byte" || kind == "Int8":
		return Scaling{Scale: 1.0 / 255}, Picture
	case floats:
		if _, median, _ := s.sampled(); median <= storedAbove {
			return Scaling{Scale: 1}, Reflectance
		} else if named {
			return byNames, FromBands
		}
	}
	return Scaling{Scale: assumedScale}, FromAssumed
}

// sampled is the median of the stored numbers in five small windows of one spectral band, and the
// band's place; any is false where they hold nothing.
func (s *Scene) sampled() (place int, median float32, any bool) {
	for _, name := range []string{"green", "red", "blue", "nir"} {
		if i := slices.Index(s.info.Bands, name); i >= 0 {
			place = i
			break
		}
	}
	band := s.ds.Bands()[s.places[place]-1]
	side := min(32, s.info.Width, s.info.Height)
	var seen []float32
	pixels := make([]float32, side*side)
	for _, at := range [][2]float64{{.5, .5}, {.25, .25}, {.75, .25}, {.25, .75}, {.75, .75}} {
		x, y := int(at[0]*float64(s.info.Width-side)), int(at[1]*float64(s.info.Height-side))
		if band.Read(x, y, pixels, side, side, reportErrors) != nil {
			continue // a broken part is told when it is read in earnest
		}
		for _, v := range pixels {
			void := s.nodata[place] != nil && v == *s.nodata[place]
			if !void && !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
				seen = append(seen, v)
			}
		}
	}
	if len(seen) == 0 {
		return place, 0, false
	}
	slices.Sort(seen)
	return place, seen[len(seen)/2], true
}
