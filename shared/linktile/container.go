package linktile

import (
	"bytes"
	"encoding/binary"
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
	sectionKept      = 'K' // a bit for each block
	sectionMask      = 'M' // a class for each pixel
	sectionVoids     = 'V' // a bit for each pixel without data in all bands
	sectionMeans     = 'A' // of the blocks that are left out
	sectionPixels    = 'P'
	sectionCoarse    = 'C' // pixels of a coarse layer
	sectionResiduals = 'R' // of the pixels of a base
	sectionOrder     = "KMVAPCR"
)

// Encode writes a tile.
func (t Tile) Encode() ([]byte, error) {
	if t.Layer != "" {
		return nil, fmt.Errorf("encode a tile: it is a %.20s layer, no tile by itself", t.Layer)
	}
	t.Header.Grid = false
	return t.encode()
}

// encode writes a tile by itself, or its coarse layer.
func (t Tile) encode() ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("encode a tile: %w", err)
	}
	out, err := appendHeader(nil, t.Header)
	if err != nil {
		return nil, err
	}
	if t.Kept != nil {
		w := newBinaryWriter()
		appendBits(w, t.Kept, Blocks(t.W), Blocks(t.H))
		out = appendSection(out, sectionKept, w.finish())
	}
	if t.Mask != nil {
		out = appendSection(out, sectionMask, encodeMask(t.Mask, t.W, t.H))
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
	if t.Layer == LayerCoarse {
		return seal(appendSection(out, sectionCoarse, encodeCoarse(t.Header, pix, from))), nil
	}
	return seal(appendSection(out, sectionPixels, encodePixels(t.Header, pix, from))), nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal puts the checksum behind.
func seal(out []byte) []byte {
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// unseal checks and takes off the checksum, and gives the header and what stands behind it.
func unseal(data []byte) (h Header, rest []byte, err error) {
	if h, rest, err = split(data); err != nil {
		return h, nil, err
	}
	if len(rest) < 4 || crc32.Checksum(data[:len(data)-4], castagnoli) != binary.LittleEndian.Uint32(data[len(data)-4:]) {
		return h, nil, fmt.Errorf("%w: its checksum is another one: bytes are damaged or missing", ErrMalformed)
	}
	return h, rest[:len(rest)-4], nil
}

// Head reads what stands before the pixels, and decodes nothing.
func Head(data []byte) (Header, error) {
	h, _, err := split(data)
	return h, err
}

// Decode reads a tile of at most limit pixels.
func Decode(data []byte, limit int) (Tile, error) {
	h, rest, err := open(data, limit)
	if err != nil {
		return Tile{}, err
	}
	if h.Layer != "" {
		return Tile{}, fmt.Errorf("%w: a coarse layer, no tile by itself", ErrMalformed)
	}
	return decodeSections(h, rest)
}

// open is unseal of what is read by itself.
func open(data []byte, limit int) (Header, []byte, error) {
	h, rest, err := unseal(data)
	switch {
	case err != nil:
		return h, nil, err
	case h.W*h.H > limit:
		return h, nil, fmt.Errorf("%w: %d x %d pixels, at most %d are taken", ErrMalformed, h.W, h.H, limit)
	case h.Layer == LayerRefinement:
		return h, nil, fmt.Errorf("%w: a refinement of tile %.32q, which is needed to read it", ErrMalformed, h.Refines)
	}
	return h, rest, nil
}

// decodeSections decodes what stands behind the header.
func decodeSections(h Header, rest []byte) (Tile, error) {
	sections, err := readSections(rest)
	if err != nil {
		return Tile{}, err
	}
	t := Tile{Header: h}
	if body, ok := sections[sectionKept]; ok {
		if t.Kept, err = readBits(body, Blocks(h.W), Blocks(h.H)); err != nil {
			return Tile{}, err
		}
	}
	if body, ok := sections[sectionMask]; ok {
		if t.Mask, err = decodeMask(body, h.W, h.H); err != nil {
			return Tile{}, err
		}
	}
	var voids []bool
	if body, ok := sections[sectionVoids]; ok {
		if voids, err = readBits(body, h.W, h.H); err != nil {
			return Tile{}, err
		}
	}
	kind, pixels := byte(sectionPixels), decodePixels
	if h.Layer == LayerCoarse {
		kind, pixels = sectionCoarse, decodeCoarse
	}
	body, ok := sections[kind]
	if _, residuals := sections[sectionResiduals]; !ok || residuals || sections[sectionPixels] != nil && sections[sectionCoarse] != nil {
		return Tile{}, fmt.Errorf("%w: it does not have its pixels once", ErrMalformed)
	}
	from := h.origins(voids, t.Kept)
	t.Pix = make([]uint16, h.W*h.H*len(h.Bands))
	if err := decodeMeans(h, sections[sectionMeans], t.Pix, from); err != nil {
		return Tile{}, err
	}
	if err := pixels(h, body, t.Pix, from); err != nil {
		return Tile{}, err
	}
	h.markVoids(t.Pix, from)
	return t, t.check()
}

// readSections takes sections apart; each may be there once, in the order of their kinds.
func readSections(rest []byte) (map[byte][]byte, error) {
	sections := make(map[byte][]byte)
	order := []byte(sectionOrder)
	r := byteReader{data: rest}
	for len(r.data) > 0 {
		kind := r.byte()
		body := r.part()
		i := bytes.IndexByte(order, kind)
		switch {
		case r.bad:
			return nil, fmt.Errorf("%w: it is cut short", ErrMalformed)
		case i < 0:
			return nil, fmt.Errorf("%w: it has a section %q that this version does not know, or that is in the wrong place", ErrMalformed, kind)
		}
		sections[kind], order = body, order[i+1:]
	}
	return sections, nil
}

func (t Tile) check() error {
	if err := t.Header.Check(); err != nil {
		return err
	}
	switch n := t.W * t.H; {
	case len(t.Pix) != n*len(t.Bands):
		return fmt.Errorf("%w: %d numbers for %d pixels of %d bands", ErrMalformed, len(t.Pix), n, len(t.Bands))
	case t.DataType == "Byte" && slices.Max(t.Pix) > math.MaxUint8:
		return fmt.Errorf("%w: a number above 255 among those of type Byte", ErrMalformed)
	case slices.ContainsFunc(t.Mask, func(class byte) bool { return class > 2 && class != 255 }):
		return fmt.Errorf("%w: a mask with other classes than 0, 1, 2 and 255", ErrMalformed)
	case t.Mask != nil && len(t.Mask) != n:
		return fmt.Errorf("%w: a mask of %d pixels for %d", ErrMalformed, len(t.Mask), n)
	case t.Kept != nil && len(t.Kept) != Blocks(t.W)*Blocks(t.H):
		return fmt.Errorf("%w: %d blocks for %d x %d pixels", ErrMalformed, len(t.Kept), t.W, t.H)
	}
	return nil
}

func appendSection(out []byte, kind byte, body []byte) []byte {
	return appendPart(append(out, kind), body)
}
