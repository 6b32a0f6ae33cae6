package infer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Tags of a TIFF that say what decoding takes and means.
const (
	tiffKind, tiffWidth, tiffHeight, tiffBits = 254, 256, 257, 258
	tiffColour, tiffSamples, tiffRows         = 262, 277, 278
	tiffMostValue, tiffPlanes                 = 281, 284
	tiffTileW, tiffTileH                      = 322, 323
	tiffExtra, tiffFormat, tiffRaw            = 338, 339, 50706
)

// smaller is the bit of tiffKind of a page that is a smaller copy of another.
const smaller = 1

// Values of tiffColour.
const (
	whiteIsZero, blackIsZero, colourRGB = 0, 1, 2
	colourCFA, colourLinear             = 32803, 34892

	colourLab, colourICCLab, colourITULab = 8, 9, 10
)

// tiffHead reads the size and depth of the page that the header points at. The others are told by album.
func tiffHead(data []byte, o binary.ByteOrder) (header, error) {
	if len(data) < 8 {
		return header{}, errShort
	}
	tags := map[uint16]uint32{tiffBits: 1, tiffSamples: 1, tiffFormat: 1, tiffPlanes: 1, tiffColour: blackIsZero}
	given := map[uint16]bool{}
	err := tiffPage(data, o, o.Uint32(data[4:]), func(tag uint16, most uint32) {
		if !given[tag] {
			tags[tag] = most
		}
		given[tag], tags[tag] = true, max(tags[tag], most) // one that comes twice counts with its larger value
	})
	if err != nil {
		return header{}, err
	}
	if err := tiffRefused(tags, given); err != nil {
		return header{}, err
	}
	side := func(tag uint16) int { return int(min(tags[tag], 1<<31-1)) }
	h := header{kind: "tiff", w: side(tiffWidth), h: side(tiffHeight), bits: side(tiffBits), samples: side(tiffSamples), blockW: side(tiffTileW), blockH: side(tiffTileH)}
	if rows := tags[tiffRows]; rows != 1<<32-1 { // which is all of them
		h.blockH = max(h.blockH, side(tiffRows))
	}
	if h.bits > 8 {
		for v := tags[tiffMostValue]; v > 0; v >>= 1 {
			h.said++
		}
		if h.said < 8 || h.said > 16 {
			h.said = 0
		}
	}
	return h, nil
}

// tiffRefused says of a page why it is no picture that is read rightly.
func tiffRefused(tags map[uint16]uint32, given map[uint16]bool) error {
	samples, bits, colour := tags[tiffSamples], tags[tiffBits], tags[tiffColour]
	switch {
	case given[tiffRaw] || colour == colourCFA || colour == colourLinear || tags[tiffKind]&smaller != 0:
		return errors.New("it is a camera's raw file, or begins with a preview as these do; take the JPEG that the camera wrote beside it, or develop it first, as with darktable-cli")
	case colour == colourLab || colour == colourICCLab || colour == colourITULab:
		return errors.New("its colours are CIE L*a*b*, which come out wrong; write it as PNG, as with `magick FILE -colorspace sRGB FILE.png`")
	case bits > 16 || tags[tiffFormat] != 1 || samples > 4 || samples == 2 && (bits != 8 || tags[tiffExtra] == 0 || colour > blackIsZero):
		return fmt.Errorf("it is a TIFF of %d bands of %d bits (sample format %d), measured values rather than a picture; give it as a scene", samples, bits, tags[tiffFormat])
	case samples == 4 && colour == colourRGB && tags[tiffExtra] == 0:
		return errors.New("it is a TIFF of four bands, and does not say that the fourth is transparency; give it as a scene")
	case bits > 8 && bits < 16:
		return fmt.Errorf("its samples are packed in %d bits; write it with 16 bits for each, as with `magick FILE -depth 16 FILE.png`", bits)
	case bits == 16 && (tags[tiffPlanes] != 1 || colour != blackIsZero && colour != colourRGB):
		return fmt.Errorf("it has 16 bits, in %d planes of colour kind %d; write it as PNG, as with `magick FILE FILE.png`", tags[tiffPlanes], colour)
	}
	return nil
}

// tiffPage gives each tag of a page with the largest of its numbers.
func tiffPage(data []byte, o binary.ByteOrder, at uint32, give func(tag uint16, most uint32)) error {
	rest, err := from(data, at, 2)
	if err != nil {
		return err
	}
	n := int(o.Uint16(rest))
	if len(rest) < 2+n*12+4 {
		return errShort
	}
	for i := range n {
		entry := rest[2+i*12:][:12]
		tag := o.Uint16(entry)
		switch tag {
		case tiffKind, tiffWidth, tiffHeight, tiffBits, tiffColour, tiffSamples, tiffRows, tiffMostValue, tiffPlanes, tiffTileW, tiffTileH, tiffExtra, tiffFormat, tiffRaw:
			most, err := tiffMost(data, o, entry)
			if err != nil {
				return err
			}
			give(tag, most)
		}
	}
	return nil
}

// tiffMost is the largest of an entry's numbers.
func tiffMost(data []byte, o binary.ByteOrder, entry []byte) (most uint32, err error) {
	kind, count := o.Uint16(entry[2:]), o.Uint32(entry[4:])
	size := map[uint16]uint32{1: 1, 3: 2, 4: 4}[kind]
	if size == 0 || count == 0 || count > 1<<12 {
		return 0, fmt.Errorf("its tag %d has %d values of type %d", o.Uint16(entry), count, kind)
	}
	values := entry[8:]
	if size*count > 4 {
		if values, err = from(data, o.Uint32(values), size*count); err != nil {
			return 0, err
		}
	}
	for i := range count {
		var v uint32
		switch size {
		case 1:
			v = uint32(values[i])
		case 2:
			v = uint32(o.Uint16(values[2*i:]))
		default:
			v = o.Uint32(values[4*i:])
		}
		most = max(most, v)
	}
	return most, nil
}

// opaque is the file with the mark taken off that its transparency was not multiplied into its colours yet: OpenCV
// would do that, and what is transparent would be black, which it is in no other kind of picture.
func opaque(data []byte) []byte {
	o := binary.ByteOrder(binary.LittleEndian)
	if data[0] == 'M' {
		o = binary.BigEndian
	}
	at := uint64(o.Uint32(data[4:]))
	rest, err := from(data, uint32(at), 2)
	if err != nil {
		return data
	}
	for i := range uint64(o.Uint16(rest)) {
		if uint64(len(rest)) < 2+(i+1)*12 {
			break
		}
		entry := rest[2+i*12:]
		const multiplied, apart = 1, 2
		if o.Uint16(entry) == tiffExtra && o.Uint16(entry[2:]) == 3 && o.Uint32(entry[4:]) == 1 && o.Uint16(entry[8:]) == apart {
			data = bytes.Clone(data)
			o.PutUint16(data[at+2+i*12+8:], multiplied)
			break
		}
	}
	return data
}

func from(data []byte, at, need uint32) ([]byte, error) {
	if uint64(at)+uint64(need) > uint64(len(data)) {
		return nil, errors.New("a part of it lies beyond its end; is the file whole?")
	}
	return data[at:], nil
}
