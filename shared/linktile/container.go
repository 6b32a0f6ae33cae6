package linktile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

const (
	magic     = "CCT1"
	maxHeader = 64 << 10
)

// Kinds of sections. A reader refuses a tile with a kind that it does not know: what it can't read may matter.
const (
	sectionKept   = 'K' // a bit for each block
	sectionMask   = 'M' // a class for each pixel
	sectionVoids  = 'V' // a bit for each pixel without data in all bands
	sectionMeans  = 'A' // of the blocks that are left out
	sectionPixels = 'P'
	sectionOrder  = "KMVAP"
)

// Encode writes a tile.
func (t Tile) Encode() ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("encode a tile: %w", err)
	}
	if t.DataType == "Byte" && slices.Max(t.Pix) > math.MaxUint8 {
		return nil, fmt.Errorf("encode a tile: a number above 255 among those of type Byte")
	}
	head, err := json.Marshal(t.Header)
	if err != nil {
		return nil, fmt.Errorf("encode a tile: %w", err)
	}
	out := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(head)))
	out = append(out, head...)
	if t.Kept != nil {
		w := newBinaryWriter()
		appendBits(w, t.Kept, Blocks(t.W), Blocks(t.H))
		out = appendSection(out, sectionKept, w.finish())
	}
	if t.Mask != nil {
		mask, err := encodeMask(t.Mask, t.W, t.H)
		if err != nil {
			return nil, fmt.Errorf("encode a tile: %w", err)
		}
		out = appendSection(out, sectionMask, mask)
	}
	voids := t.voids()
	if voids != nil {
		w := newBinaryWriter()
		appendBits(w, voids, t.W, t.H)
		out = appendSection(out, sectionVoids, w.finish())
	}
	from, pix := t.origins(voids, t.Kept), slices.Clone(t.Pix)
	if means := encodeMeans(t.Header, pix, from); means != nil {
		out = appendSection(out, sectionMeans, means)
	}
	out = appendSection(out, sectionPixels, encodePixels(t.Header, pix, from))
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli)), nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

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
	if len(rest) < 4 || crc32.Checksum(data[:len(data)-4], castagnoli) != binary.LittleEndian.Uint32(data[len(data)-4:]) {
		return Tile{}, fmt.Errorf("%w: its checksum is another one: bytes are damaged or missing", ErrMalformed)
	}
	return decodeSections(h, rest[:len(rest)-4])
}

// decodeSections decodes what stands behind the header.
func decodeSections(h Header, rest []byte) (Tile, error) {
	sections, err := readSections(rest)
	if err != nil {
		return Tile{}, err
	}
	t := Tile{Header: h}
	if body, ok := sections[sectionKept]; ok {
		r := newBinaryReader(body)
		t.Kept = readBits(r, Blocks(h.W), Blocks(h.H))
		if !r.ended() {
			return Tile{}, fmt.Errorf("%w: bytes behind its blocks", ErrMalformed)
		}
	}
	if body, ok := sections[sectionMask]; ok {
		if t.Mask, err = decodeMask(body, h.W, h.H); err != nil {
			return Tile{}, err
		}
	}
	var voids []bool
	if body, ok := sections[sectionVoids]; ok {
		r := newBinaryReader(body)
		voids = readBits(r, h.W, h.H)
		if !r.ended() {
			return Tile{}, fmt.Errorf("%w: bytes behind its pixels without data", ErrMalformed)
		}
	}
	body, ok := sections[sectionPixels]
	if !ok {
		return Tile{}, fmt.Errorf("%w: it has no pixels", ErrMalformed)
	}
	from := h.origins(voids, t.Kept)
	t.Pix = make([]uint16, h.W*h.H*len(h.Bands))
	if err := decodeMeans(h, sections[sectionMeans], t.Pix, from); err != nil {
		return Tile{}, err
	}
	if err := decodePixels(h, body, t.Pix, from); err != nil {
		return Tile{}, err
	}
	h.markVoids(t.Pix, from)
	return t, t.check()
}

// readSections takes sections apart; each may be there once, in the order of their kinds.
func readSections(rest []byte) (map[byte][]byte, error) {
	sections := make(map[byte][]byte)
	order := []byte(sectionOrder)
	for len(rest) > 0 {
		if len(rest) < 5 || uint64(binary.LittleEndian.Uint32(rest[1:])) > uint64(len(rest)-5) {
			return nil, fmt.Errorf("%w: it is cut short", ErrMalformed)
		}
		kind, n := rest[0], int(binary.LittleEndian.Uint32(rest[1:]))
		i := bytes.IndexByte(order, kind)
		if i < 0 {
			return nil, fmt.Errorf("%w: it has a section %q that this version does not know, or that is in the wrong place", ErrMalformed, kind)
		}
		sections[kind], order, rest = rest[5:5+n], order[i+1:], rest[5+n:]
	}
	return sections, nil
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
