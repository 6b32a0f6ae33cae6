package dicom

import (
	"encoding/binary"
	"testing"
)

// maker writes DICOM files.
type maker struct {
	order    binary.AppendByteOrder
	implicit bool
}

var little = maker{order: binary.LittleEndian}

func (m maker) tag(out []byte, tag uint32) []byte {
	return m.order.AppendUint16(m.order.AppendUint16(out, uint16(tag>>16)), uint16(tag))
}

// element writes one; a length of a sequence that is not said stands for itself.
func (m maker) element(out []byte, tag uint32, vr string, value []byte) []byte {
	if len(value)%2 == 1 {
		value = append(value[:len(value):len(value)], map[bool]byte{true: 0, false: ' '}[vr == "UI" || vr == "OB"])
	}
	out = m.tag(out, tag)
	switch {
	case m.implicit:
		out = m.order.AppendUint32(out, uint32(len(value)))
	case vr == "OB" || vr == "OW" || vr == "SQ" || vr == "UN":
		out = m.order.AppendUint32(append(append(out, vr...), 0, 0), uint32(len(value)))
	default:
		out = m.order.AppendUint16(append(out, vr...), uint16(len(value)))
	}
	return append(out, value...)
}

func (m maker) short(out []byte, tag uint32, v uint16) []byte {
	return m.element(out, tag, "US", m.order.AppendUint16(nil, v))
}

// open writes a sequence or compressed pixels whose length is not said.
func (m maker) open(out []byte, tag uint32, vr string, items ...[]byte) []byte {
	out = m.tag(out, tag)
	if !m.implicit {
		out = append(append(out, vr...), 0, 0)
	}
	out = m.order.AppendUint32(out, undefined)
	for _, item := range items {
		out = append(m.order.AppendUint32(m.tag(out, itemTag), uint32(len(item))), item...)
	}
	return m.order.AppendUint32(m.tag(out, sequenceEnd), 0)
}

// begin is a file up to its data set.
func begin(syntax string) []byte {
	out := append(make([]byte, 128), "DICM"...)
	return little.element(out, 0x00020010, "UI", []byte(syntax))
}

// file has a picture of w x h; more are elements that come before its pixels.
func (m maker) file(syntax string, w, h, bits int, signed bool, more func(out []byte) []byte, pixels func(out []byte) []byte) []byte {
	out := begin(syntax)
	if more != nil {
		out = more(out)
	}
	out = m.short(out, 0x00280010, uint16(h))
	out = m.short(out, 0x00280011, uint16(w))
	cell := (bits + 7) / 8 * 8
	out = m.short(out, 0x00280100, uint16(cell))
	out = m.short(out, 0x00280101, uint16(bits))
	out = m.short(out, 0x00280102, uint16(bits-1))
	if signed {
		out = m.short(out, 0x00280103, 1)
	}
	return pixels(out)
}

// native are pixels as they are.
func (m maker) native(values ...uint16) func([]byte) []byte {
	return func(out []byte) []byte {
		var b []byte
		for _, v := range values {
			b = m.order.AppendUint16(b, v)
		}
		return m.element(out, 0x7FE00010, "OW", b)
	}
}

func words(m maker, tag uint32, vr, v string) func([]byte) []byte {
	return func(out []byte) []byte { return m.element(out, tag, vr, []byte(v)) }
}

func all(parts ...func([]byte) []byte) func([]byte) []byte {
	return func(out []byte) []byte {
		for _, p := range parts {
			out = p(out)
		}
		return out
	}
}

func parsed(t testing.TB, data []byte) *File {
	t.Helper()
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// greys are a picture's values.
func greys(t testing.TB, f *File, i int) (out []byte, assumed string) {
	t.Helper()
	im, notes, err := f.Picture(i, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; k < len(im.Pix); k += 3 {
		if im.Pix[k] != im.Pix[k+1] || im.Pix[k] != im.Pix[k+2] {
			t.Errorf("pixel %d has a colour: %v", k/3, im.Pix[k:k+3])
		}
		out = append(out, im.Pix[k])
	}
	return out, notes.Assumed
}
