package dicom

import (
	"math"
	"strconv"
	"strings"
)

// take keeps what matters of an element of the file itself.
func (f *File) take(r *reader, e element) error {
	number := func(at *int) {
		if v, ok := e.number(r.order); ok {
			*at = v
		}
	}
	switch e.tag {
	case 0x00280002:
		number(&f.samples)
	case 0x00280004:
		f.photometric = text(e.value)
	case 0x00280006:
		v, _ := e.number(r.order)
		f.planar = v == 1
	case 0x00280008:
		if v := floats(e.value, 1); len(v) > 0 {
			f.Frames = int(v[0])
		}
	case 0x00280010:
		number(&f.Rows)
	case 0x00280011:
		number(&f.Columns)
	case 0x00280100:
		number(&f.allocated)
	case 0x00280101:
		number(&f.stored)
	case 0x00280102:
		number(&f.high)
	case 0x00280103:
		v, _ := e.number(r.order)
		f.signed = v == 1
	case 0x00280120, 0x00280121:
		if v, ok := e.number(r.order); ok && len(f.padding) < 2 {
			f.padding = append(f.padding, int32(v))
		}
	case 0x00280301:
		f.burnt = text(e.value) == "YES"
	case 0x00281101, 0x00281102, 0x00281103:
		if t := &f.palette[e.tag-0x00281101]; len(e.value) >= 6 {
			t.entries, t.first, t.bits = int(r.order.Uint16(e.value)), int(r.order.Uint16(e.value[2:])), int(r.order.Uint16(e.value[4:]))
			if t.entries == 0 {
				t.entries = 1 << 16
			}
		}
	case 0x00281201, 0x00281202, 0x00281203:
		f.palette[e.tag-0x00281201].data = e.value
	case 0x00281221, 0x00281222, 0x00281223:
		f.segmented = true
	case 0x00283000:
		f.rescaled, f.tables = true, true
	case 0x00283010:
		f.tables = true
	case 0x52009229:
		return r.items(e, func(_ int, value []byte) error { return f.group(r.over(value), &f.shown, 0) })
	case 0x52009230:
		return r.items(e, func(i int, value []byte) error {
			own := f.shown
			if err := f.group(r.over(value), &own, 0); err != nil {
				return err
			}
			if i < MostFrames {
				f.each = append(f.each, own)
			}
			return nil
		})
	case 0x7FE00001:
		for v := e.value; len(v) >= 8 && len(f.offsets) < MostFrames; v = v[8:] {
			f.offsets = append(f.offsets, r.order.Uint64(v))
		}
	case 0x7FE00008, 0x7FE00009:
		f.floating = true
	case 0x7FE00010:
		if e.open {
			return f.encapsulated(r, e.value)
		}
		f.native, f.swapped = e.value, e.vr == "OW" && f.syntax == explicitBig
	default:
		f.shown.take(e)
	}
	return nil
}

// MostFrames bounds what is kept of how single frames are shown.
const MostFrames = 1 << 14

// group reads the functional groups that say how frames are shown: of all others it sees nothing.
func (f *File) group(r *reader, s *shown, depth int) error {
	return r.elements(func(e element) error {
		switch e.tag {
		case 0x00289132, 0x00289145, 0x00289110: // window, rescaling, measures
			if depth < 2 {
				return r.items(e, func(i int, value []byte) error {
					if i > 0 {
						return nil
					}
					return f.group(r.over(value), s, depth+1)
				})
			}
		default:
			if depth > 0 {
				s.take(e)
			}
		}
		return nil
	}, nil)
}

func (s *shown) take(e element) {
	switch e.tag {
	case 0x00281050:
		if v := floats(e.value, 64); len(v) > 0 {
			s.centre, s.windows = v[0], len(v)
		}
	case 0x00281051:
		if v := floats(e.value, 1); len(v) > 0 {
			s.width = v[0]
		}
	case 0x00281052:
		if v := floats(e.value, 1); len(v) > 0 {
			s.intercept, s.scaled = v[0], true
		}
	case 0x00281053:
		if v := floats(e.value, 1); len(v) > 0 {
			s.slope, s.scaled = v[0], true
		}
	case 0x00281056:
		s.function = text(e.value)
	case 0x00280030:
		s.spacing = floats(e.value, 2)
	case 0x00181164:
		s.atDetector = floats(e.value, 2)
	}
}

func text(value []byte) string {
	return strings.TrimRight(string(value[:min(len(value), 64)]), " \x00")
}

// floats reads numbers that stand as text, at most so many.
func floats(value []byte, most int) (out []float64) {
	for part := range strings.SplitSeq(string(value[:min(len(value), 1024)]), `\`) {
		v, err := strconv.ParseFloat(strings.Trim(part, " \x00"), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || len(out) == most {
			break
		}
		out = append(out, v)
	}
	return out
}
