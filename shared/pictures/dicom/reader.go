package dicom

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// element is one of a data set. value is a part of the file.
type element struct {
	tag   uint32
	vr    string // empty where the encoding has none
	value []byte
	open  bool // its length was not said: value goes to its end, without the mark of it
}

// number is a value of two bytes, or of four.
func (e element) number(o binary.ByteOrder) (int, bool) {
	switch {
	case len(e.value) >= 4 && (e.vr == "SL" || e.vr == "UL"):
		return int(int32(o.Uint32(e.value))), true
	case len(e.value) >= 2 && e.vr == "SS":
		return int(int16(o.Uint16(e.value))), true
	case len(e.value) >= 2:
		return int(o.Uint16(e.value)), true
	}
	return 0, false
}

// reader steps through elements. It makes no room for any length that the file claims.
type reader struct {
	data     []byte
	order    binary.ByteOrder
	explicit bool
}

func (r *reader) over(data []byte) *reader { return &reader{data, r.order, r.explicit} }

const (
	undefined   = 0xFFFFFFFF
	itemTag     = 0xFFFEE000
	itemEnd     = 0xFFFEE00D
	sequenceEnd = 0xFFFEE0DD
	// mostNested bounds sequences in sequences.
	mostNested = 24
)

// elements gives each to take, until there are no more or stop says that the next is another's.
func (r *reader) elements(take func(element) error, stop func(tag uint32) bool) error {
	for len(r.data) >= 8 {
		if stop != nil && stop(r.peek()) {
			return nil
		}
		e, err := r.next(0)
		if err != nil {
			return err
		}
		if err := take(e); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) peek() uint32 {
	return uint32(r.order.Uint16(r.data))<<16 | uint32(r.order.Uint16(r.data[2:]))
}

// next reads an element, whole.
func (r *reader) next(depth int) (e element, err error) {
	if len(r.data) < 8 {
		return e, errShort
	}
	e.tag = r.peek()
	head, length := 8, uint32(0)
	switch group := e.tag >> 16; {
	case r.explicit && group != 0xFFFE:
		e.vr = string(r.data[4:6])
		switch e.vr {
		case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV":
			if head = 12; len(r.data) < head {
				return e, errShort
			}
			length = r.order.Uint32(r.data[8:])
		default:
			length = uint32(r.order.Uint16(r.data[6:]))
		}
	default:
		length = r.order.Uint32(r.data[4:])
	}
	r.data = r.data[head:]
	if length != undefined {
		if uint64(length) > uint64(len(r.data)) {
			return e, errShort
		}
		e.value, r.data = r.data[:length], r.data[length:]
		return e, nil
	}
	if depth >= mostNested {
		return e, fmt.Errorf("it has more than %d sequences in each other", mostNested)
	}
	e.open = true
	whole, inner := r.data, *r
	if e.vr == "UN" { // PS3.5 6.2.2: then what is inside is implicit
		inner.explicit, inner.order = false, binary.LittleEndian
	}
	end := uint32(sequenceEnd)
	if e.tag == itemTag {
		end = itemEnd
	}
	for {
		if len(inner.data) < 8 {
			return e, errShort
		}
		at := inner.data
		part, err := inner.next(depth + 1)
		if err != nil {
			return e, err
		}
		if part.tag == end {
			e.value, r.data = whole[:len(whole)-len(at)], inner.data
			return e, nil
		}
	}
}

// items gives the items of a sequence.
func (r *reader) items(e element, take func(i int, value []byte) error) error {
	inner := r.over(e.value)
	for i := 0; len(inner.data) >= 8; i++ {
		item, err := inner.next(0)
		if err != nil {
			return err
		}
		if item.tag != itemTag {
			return errors.New("a sequence holds something that is no item")
		}
		if err := take(i, item.value); err != nil {
			return err
		}
	}
	return nil
}

// mostFragments bounds the pieces that compressed pixels are in.
const mostFragments = 1 << 18

// encapsulated keeps the fragments of compressed pixels: the first item is a table of the frames' places.
func (f *File) encapsulated(r *reader, value []byte) error {
	return r.items(element{value: value}, func(i int, part []byte) error {
		if i > mostFragments {
			return fmt.Errorf("its pixels are in more than %d pieces", mostFragments)
		}
		if i > 0 {
			f.fragments = append(f.fragments, part)
			return nil
		}
		f.fragments = [][]byte{}
		for ; len(part) >= 4 && len(f.offsets) < MostFrames; part = part[4:] {
			f.offsets = append(f.offsets, uint64(binary.LittleEndian.Uint32(part)))
		}
		return nil
	})
}

// compressed joins the fragments of a frame.
func (f *File) compressed(i int) ([]byte, error) {
	switch n := len(f.fragments); {
	case n == f.Frames:
		return f.fragments[i], nil
	case f.Frames == 1:
		return join(f.fragments), nil
	case len(f.offsets) >= f.Frames:
		return f.between(i)
	}
	// Without a table a frame begins where a codestream does.
	frame, from := -1, -1
	for k, part := range f.fragments {
		if begins(part) {
			if frame++; frame == i {
				from = k
			}
			if frame == i+1 {
				return join(f.fragments[from:k]), nil
			}
		}
	}
	if from < 0 {
		return nil, fmt.Errorf("it says that it has %d frames, and %d are there; is the file whole?", f.Frames, frame+1)
	}
	return join(f.fragments[from:]), nil
}

func begins(part []byte) bool {
	return len(part) > 2 && part[0] == 0xFF && (part[1] == 0xD8 || part[1] == 0x4F)
}

// between finds a frame by the table: places are counted from the first fragment's head.
func (f *File) between(i int) ([]byte, error) {
	from, to, at := f.offsets[i], uint64(1<<63), uint64(0)
	if i+1 < len(f.offsets) {
		to = f.offsets[i+1]
	}
	var parts [][]byte
	for _, part := range f.fragments {
		if at >= from && at < to {
			parts = append(parts, part)
		}
		at += 8 + uint64(len(part))
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("its frame %d is not where its table says; is the file whole?", i+1)
	}
	return join(parts), nil
}

func join(parts [][]byte) []byte {
	if len(parts) == 1 {
		return parts[0]
	}
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
