package dicom

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cloudcanvas/shared/vision"
)

// Picture shows a frame in 8 bits: grey values through the file's window, colours as they are.
func (f *File) Picture(i int, decode JPEG2000) (im vision.Image, notes vision.Notes, err error) {
	if i < 0 || i >= f.Frames {
		return im, notes, fmt.Errorf("it has no frame %d", i+1)
	}
	r, rgb, err := f.values(i, decode)
	if err != nil {
		return im, notes, err
	}
	im = vision.Image{W: r.W, H: r.H, Pix: make([]byte, r.W*r.H*3)}
	switch {
	case f.photometric == "PALETTE COLOR" && r.Samples == 1:
		return im, notes, f.coloured(r.Values, im.Pix)
	case r.Samples == 1 && (f.photometric == "MONOCHROME1" || f.photometric == "MONOCHROME2" || f.photometric == ""):
		notes.Assumed = f.grey(i, r.Values, im.Pix)
		return im, notes, nil
	case r.Samples == 3 && (rgb || f.photometric == "RGB" || strings.HasPrefix(f.photometric, "YBR_")):
		f.colours(r.Values, im.Pix, !rgb && f.photometric != "RGB")
		return im, notes, nil
	}
	return im, notes, fmt.Errorf("its pixels are %.16q of %d samples, which is not read", f.photometric, r.Samples)
}

// colours writes blue, green, red; from brightness and colour differences where they are these (PS3.3 C.7.6.3.1.2).
func (f *File) colours(values []int32, pix []byte, differences bool) {
	down := max(f.stored-8, 0)
	for k := 0; k+2 < len(values); k += 3 {
		r, g, b := int32(uint32(values[k])>>down), int32(uint32(values[k+1])>>down), int32(uint32(values[k+2])>>down)
		if differences {
			y, cb, cr := float64(r), float64(g)-128, float64(b)-128
			r, g, b = round(y+1.402*cr), round(y-0.344136*cb-0.714136*cr), round(y+1.772*cb)
		}
		pix[k], pix[k+1], pix[k+2] = eight(b), eight(g), eight(r)
	}
}

func round(v float64) int32 { return int32(math.Floor(v + 0.5)) }

func eight(v int32) byte { return byte(min(max(v, 0), 255)) }

// coloured looks values up in the palette.
func (f *File) coloured(values []int32, pix []byte) error {
	for c, t := range f.palette {
		wide := t.bits / 8
		if (wide != 1 && wide != 2) || t.entries < 1 || len(t.data) < t.entries*wide {
			return fmt.Errorf("its palette has %d entries of %d bits in %d bytes", t.entries, t.bits, len(t.data))
		}
		for k, v := range values {
			at := min(max(int(v)-t.first, 0), t.entries-1)
			if wide == 1 {
				pix[3*k+2-c] = t.data[at]
			} else { // of 16 bits the upper ones
				pix[3*k+2-c] = t.data[2*at+f.upper()]
			}
		}
	}
	return nil
}

// upper is which of two bytes is the higher.
func (f *File) upper() int {
	if f.syntax == explicitBig {
		return 0
	}
	return 1
}

// grey writes values as brightness, and says what it assumed.
func (f *File) grey(i int, values []int32, pix []byte) (assumed string) {
	s := f.shown
	if i < len(f.each) {
		s = f.each[i]
	}
	show := s.window()
	if f.rescaled {
		show = nil
	}
	switch {
	case show != nil && s.windows > 1:
		assumed = fmt.Sprintf("the first of its %d windows is shown", s.windows)
	case show != nil:
	case f.stored <= 8 && !f.signed && !s.scaled && !f.tables:
		most := float64(int(1)<<f.stored - 1)
		show = func(v float64) float64 { return v / most }
	default:
		low, high := f.span(values, s)
		assumed = "it has no window: the values of each picture from the least to the largest are shown"
		if f.tables {
			assumed = "its tables of brightness are not applied: the values of each picture from the least to the largest are shown"
		}
		show = func(v float64) float64 { return (v - low) / max(high-low, 1e-9) }
	}
	inverted := f.photometric == "MONOCHROME1"
	known := map[int32]byte{} // a picture has few values
	for k, v := range values {
		b, ok := known[v]
		if !ok {
			share := min(max(show(f.number(v)*s.slope+s.intercept), 0), 1)
			if inverted {
				share = 1 - share
			}
			b = byte(share*255 + 0.5)
			known[v] = b
		}
		pix[3*k], pix[3*k+1], pix[3*k+2] = b, b, b
	}
	return assumed
}

// window maps a value to a share of full brightness, PS3.3 C.11.2.1.2 and C.11.2.1.3; nil without a window.
func (s shown) window() func(float64) float64 {
	c, w := s.centre, s.width
	switch {
	case s.windows == 0 || w <= 0:
		return nil
	case s.function == "SIGMOID":
		return func(v float64) float64 { return 1 / (1 + math.Exp(-4*(v-c)/w)) }
	case s.function == "LINEAR_EXACT":
		return func(v float64) float64 { return (v-c)/w + 0.5 }
	case w <= 1:
		return func(v float64) float64 {
			if v > c-0.5 {
				return 1
			}
			return 0
		}
	}
	return func(v float64) float64 { return (v-(c-0.5))/(w-1) + 0.5 }
}

// span is from the least to the largest value, of those that are pixels.
func (f *File) span(values []int32, s shown) (low, high float64) {
	from, to := int32(math.MaxInt32), int32(math.MinInt32)
	if len(f.padding) > 0 {
		from, to = slices.Min(f.padding), slices.Max(f.padding)
	}
	least, most := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v >= from && v <= to {
			continue
		}
		least, most = min(least, f.number(v)), max(most, f.number(v))
	}
	if least > most {
		return 0, 1
	}
	low, high = least*s.slope+s.intercept, most*s.slope+s.intercept
	return min(low, high), max(low, high)
}

// number is a value; of 32 bits without a sign it stands as if it had one.
func (f *File) number(v int32) float64 {
	if f.stored == 32 && !f.signed {
		return float64(uint32(v))
	}
	return float64(v)
}
