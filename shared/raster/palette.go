package raster

import (
	"slices"

	"github.com/airbusgeo/godal"
)

// palette is the colours that the numbers of a picture stand for: red, green, blue, opacity.
type palette [256][4]int16

// paletteOf is the palette of a band, or nil: of 8 bits, in red, green and blue. A band with a name of
// its own holds classes, for which a palette is only how they are shown.
func paletteOf(b godal.Band) *palette {
	if b.ColorInterp() != godal.CIPalette || b.Structure().DataType != godal.Byte || b.Description() != "" {
		return nil
	}
	t := b.ColorTable()
	if t.PaletteInterp != godal.RGBPalette || len(t.Entries) == 0 {
		return nil
	}
	var p palette
	for i := range p {
		if i < len(t.Entries) {
			p[i] = t.Entries[i]
		}
	}
	return &p
}

// colour puts colours in place of a picture's stored numbers; channels are which colour each plane is, 0
// for red. void is those without data, to which come the pixels that are wholly transparent.
func (p *palette) colour(planes [][]float32, channels []int, void []byte) []byte {
	for i, v := range planes[0] {
		if p[byte(v)][3] == 0 {
			if void == nil {
				void = make([]byte, len(planes[0]))
			}
			void[i] = 1
		}
	}
	for b, plane := range planes {
		for i, v := range plane {
			plane[i] = float32(p[byte(v)][channels[b]])
		}
	}
	return void
}

// unfold makes red, green and blue of a band that is a picture with a palette, unless a person named it.
func (s *Scene) unfold(bands []godal.Band, o Options) bool {
	if len(s.places) != 1 || len(o.Bands) > 0 {
		return false
	}
	if s.palette = paletteOf(bands[s.places[0]-1]); s.palette == nil {
		return false
	}
	s.places = slices.Repeat(s.places, 3)
	return true
}
