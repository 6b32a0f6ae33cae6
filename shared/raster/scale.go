package raster

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/airbusgeo/godal"
)

// Scaling turns a band's stored numbers into reflectance: number x Scale + Offset. Which one a band
// gets is decided in this order:
//
//  1. "file": the band's own scale and offset.
//  2. "product name": Landsat Collection products, whose files do not say: level 1 (LC08_L1TP…)
//     0.00002 and -0.1 (top of atmosphere, before the sun's height), level 2 (…_L2SP…) 0.0000275 and -0.2.
//  3. "picture": 8-bit bands, 1/255.
//  4. floating point: "reflectance" as it is; but where samples of the scene lie above 10 it is a
//     stored product after all, and 5 applies. Reflectance stays below 2 even on glinting cloud edges.
//  5. "option" Options.ReflectanceScale, else "assumed" 0.0001, what Sentinel-2 and most others use.
type Scaling struct{ Scale, Offset float64 }

// apply is the reflectance of a stored number. Reading a scene and decoding a tile both use it, so
// that a tile has exactly its scene's values.
func (s Scaling) apply(number float32) float32 { return float32(float64(number)*s.Scale + s.Offset) }

const (
	assumedScale = 0.0001
	storedAbove  = 10
)

var productScalings = []struct {
	name *regexp.Regexp
	Scaling
}{
	{regexp.MustCompile(`(?i)^L[CO]0[89]_L1`), Scaling{2e-5, -0.1}},
	{regexp.MustCompile(`(?i)^L[COTE]0[45789]_L2`), Scaling{2.75e-5, -0.2}},
}

// scale decides the scaling of every band.
func (s *Scene) scale(bands []godal.Band, o Options, name string) {
	s.scalings = make([]Scaling, len(s.places))
	for i, place := range s.places {
		own := bands[place-1].Structure()
		if own.Scale != 0 && (own.Scale != 1 || own.Offset != 0) {
			s.scalings[i] = Scaling{own.Scale, own.Offset}
			s.info.ScaleFrom = "file"
		}
	}
	rest, from := s.otherScaling(o, name)
	if s.info.ScaleFrom == "" {
		s.info.ScaleFrom = from
	}
	for i := range s.scalings {
		if s.scalings[i].Scale == 0 {
			s.scalings[i] = rest
		}
	}
}

// otherScaling is that of bands without their own.
func (s *Scene) otherScaling(o Options, name string) (Scaling, string) {
	kind := s.info.DataType
	for _, p := range productScalings {
		if !strings.HasPrefix(kind, "Float") && kind != "Byte" && p.name.MatchString(name) {
			return p.Scaling, "product name"
		}
	}
	switch {
	case kind == "Byte" || kind == "Int8":
		return Scaling{Scale: 1.0 / 255}, "picture"
	case strings.HasPrefix(kind, "Float") && s.sampled() <= storedAbove:
		return Scaling{Scale: 1}, "reflectance"
	case o.ReflectanceScale > 0:
		return Scaling{Scale: o.ReflectanceScale}, "option"
	}
	return Scaling{Scale: assumedScale}, "assumed"
}

// sampled is the median of five small windows of one spectral band, 0 where they hold nothing.
func (s *Scene) sampled() float32 {
	place := 0
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
		if band.Read(x, y, pixels, side, side, heard) != nil {
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
		return 0
	}
	slices.Sort(seen)
	return seen[len(seen)/2]
}
