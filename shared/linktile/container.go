package linktile

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

const (
	magic     = "CCT1"
	maxHeader = 64 << 10
)

// Kinds of sections. A reader refuses a tile with a kind that it does not know: what it can't read may matter.
const (
	sectionKept   = 'K' // a bit for each block
	sectionMask   = 'M' // a class for each pixel
	sectionPixels = 'P'
)

// Encode writes a tile.
func (t Tile) Encode() ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("encode a tile: %w", err)
	}
	head, err := json.Marshal(t.Header)
	if err != nil {
		return nil, fmt.Errorf("encode a tile: %w", err)
	}
	out := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(head)))
	out = append(out, head...)
	if t.Kept != nil {
		out = appendSection(out, sectionKept, packBits(t.Kept))
	}
	if t.Mask != nil {
		out = appendSection(out, sectionMask, deflate(t.Mask))
	}
	raw := make([]byte, 2*len(t.Pix))
	for i, v := range t.Pix {
		binary.LittleEndian.PutUint16(raw[2*i:], v)
	}
	return appendSection(out, sectionPixels, deflate(raw)), nil
}

// Head reads what stands before the pixels, and decodes nothing.
func Head(data []byte) (Header, error) {
	h, _, err := split(data)
	return h, err
}

// Decode reads a tile of at most limit pixels.
func Decode(data []byte, limit int) (Tile, error) {
	h, rest, err := split(data)
	if err != nil {
		return Tile{}, err
	}
	if h.W*h.H > limit {
		return Tile{}, fmt.Errorf("%w: %d x %d pixels, at most %d are taken", ErrMalformed, h.W, h.H, limit)
	}
	t := Tile{Header: h}
	for len(rest) > 0 {
		if len(rest) < 5 || uint64(binary.LittleEndian.Uint32(rest[1:])) > uint64(len(rest)-5) {
			return Tile{}, fmt.Errorf("%w: it is cut short", ErrMalformed)
		}
		kind, n := rest[0], int(binary.LittleEndian.Uint32(rest[1:]))
		body := rest[5 : 5+n]
		rest = rest[5+n:]
		switch kind {
		case sectionKept:
			t.Kept, err = unpackBits(body, Blocks(h.W)*Blocks(h.H))
		case sectionMask:
			t.Mask, err = inflate(body, h.W*h.H)
		case sectionPixels:
			var raw []byte
			raw, err = inflate(body, 2*h.W*h.H*len(h.Bands))
			t.Pix = make([]uint16, len(raw)/2)
			for i := range t.Pix {
				t.Pix[i] = binary.LittleEndian.Uint16(raw[2*i:])
			}
		default:
			err = fmt.Errorf("%w: it has a section %q, which this version does not know", ErrMalformed, kind)
		}
		if err != nil {
			return Tile{}, err
		}
	}
	return t, t.check()
}

// split takes the header off.
func split(data []byte) (h Header, rest []byte, err error) {
	if len(data) < 8 || string(data[:4]) != magic {
		return h, nil, fmt.Errorf("%w: it does not begin with %s", ErrMalformed, magic)
	}
	n := binary.LittleEndian.Uint32(data[4:])
	if n > maxHeader || int(n) > len(data)-8 {
		return h, nil, fmt.Errorf("%w: a header of %d bytes", ErrMalformed, n)
	}
	if err := json.Unmarshal(data[8:8+n], &h); err != nil {
		return h, nil, fmt.Errorf("%w: its header: %w", ErrMalformed, err)
	}
	return h, data[8+n:], h.Check()
}

func (t Tile) check() error {
	if err := t.Header.Check(); err != nil {
		return err
	}
	switch n := t.W * t.H; {
	case len(t.Pix) != n*len(t.Bands):
		return fmt.Errorf("%w: %d numbers for %d pixels of %d bands", ErrMalformed, len(t.Pix), n, len(t.Bands))
	case t.Mask != nil && len(t.Mask) != n:
		return fmt.Errorf("%w: a mask of %d pixels for %d", ErrMalformed, len(t.Mask), n)
	case t.Kept != nil && len(t.Kept) != Blocks(t.W)*Blocks(t.H):
		return fmt.Errorf("%w: %d blocks for %d x %d pixels", ErrMalformed, len(t.Kept), t.W, t.H)
	}
	return nil
}

func appendSection(out []byte, kind byte, body []byte) []byte {
	out = binary.LittleEndian.AppendUint32(append(out, kind), uint32(len(body)))
	return append(out, body...)
}

func packBits(bits []bool) []byte {
	out := make([]byte, (len(bits)+7)/8)
	for i, set := range bits {
		if set {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return out
}

func unpackBits(data []byte, n int) ([]bool, error) {
	if len(data) != (n+7)/8 {
		return nil, fmt.Errorf("%w: %d bytes for %d blocks", ErrMalformed, len(data), n)
	}
	out := make([]bool, n)
	for i := range out {
		out[i] = data[i/8]>>(i%8)&1 == 1
	}
	return out, nil
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// inflate gives exactly n bytes.
func inflate(data []byte, n int) ([]byte, error) {
	out := make([]byte, n)
	r := flate.NewReader(bytes.NewReader(data))
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return out, nil
}
