package infer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cloudcanvas/shared/pictures"
)

// header is what a picture's file says of it.
type header struct {
	kind           string // jpeg, png, bmp, webp, tiff
	w, h           int
	bits, samples  int // of one pixel, where it matters: bits of a sample, and samples
	said           int // how many of 16 bits count; 0: not said
	moves          bool
	blockW, blockH int // of what is decoded in one piece, where that may be more than the picture
}

var jpegMagic = []byte{0xFF, 0xD8, 0xFF}

// pictureHead reads a header by what the file is, whatever its name says.
func pictureHead(data []byte) (header, error) {
	h, err := anyHead(data)
	if err == nil && (h.w < 1 || h.h < 1) {
		err = fmt.Errorf("it has %d x %d pixels", h.w, h.h)
	}
	if err != nil {
		return header{}, childError{err.Error(), ErrImage}
	}
	return h, nil
}

func anyHead(data []byte) (header, error) {
	kind := pictures.Of(data)
	switch kind.Name {
	case "JPEG", "PNG":
		c, kind, err := headOf(data)
		h := header{kind: kind, w: c.Width, h: c.Height}
		if err == nil && kind == "png" {
			h.bits, h.said = int(depth(data))*8, significantBits(data)
		}
		return h, err
	case "BMP":
		return bmpHead(data)
	case "WebP":
		return webpHead(data)
	case "TIFF":
		if data[0] == 'I' {
			return tiffHead(data, binary.LittleEndian)
		}
		return tiffHead(data, binary.BigEndian)
	}
	return header{}, kind.Why()
}

var errShort = errors.New("it ends within its header; is the file whole?")

// jpegHead finds a JPEG's frame as libjpeg does, of whatever kind it is.
func jpegHead(data []byte) (header, error) {
	for at := 2; at+9 < len(data); {
		if data[at] != 0xFF || data[at+1] == 0xFF || data[at+1] == 0 {
			at++
			continue
		}
		marker := data[at+1]
		switch {
		case marker == 0x01 || marker >= 0xD0 && marker <= 0xD8:
			at += 2
			continue
		case marker == 0xD9 || marker == 0xDA:
			return header{}, errors.New("its pixels come before its size")
		case marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
			return header{kind: "jpeg", h: int(binary.BigEndian.Uint16(data[at+5:])), w: int(binary.BigEndian.Uint16(data[at+7:]))}, nil
		}
		at += 2 + int(binary.BigEndian.Uint16(data[at+2:]))
	}
	return header{}, errShort
}

// significantBits is what a PNG of 16 bits says of how many count (sBIT); 0: nothing.
func significantBits(data []byte) int {
	for rest := data[min(len(data), 8):]; len(rest) >= 12; {
		n := int(binary.BigEndian.Uint32(rest))
		if n < 0 || n > len(rest)-12 {
			return 0
		}
		switch string(rest[4:8]) {
		case "sBIT":
			most := 0
			for _, b := range rest[8 : 8+min(n, 3)] {
				most = max(most, int(b))
			}
			if most >= 8 && most <= 16 {
				return most
			}
			return 0
		case "IDAT":
			return 0
		}
		rest = rest[12+n:]
	}
	return 0
}

func bmpHead(data []byte) (header, error) {
	if len(data) < 30 {
		return header{}, errShort
	}
	le := binary.LittleEndian
	h := header{kind: "bmp"}
	if le.Uint32(data[14:]) == 12 {
		h.w, h.h = int(le.Uint16(data[18:])), int(le.Uint16(data[20:]))
		return h, nil
	}
	h.w, h.h = int(int32(le.Uint32(data[18:]))), int(int32(le.Uint32(data[22:])))
	if h.h < 0 { // from the top down
		h.h = -h.h
	}
	return h, nil
}

func webpHead(data []byte) (header, error) {
	if len(data) < 30 {
		return header{}, errShort
	}
	h, le := header{kind: "webp"}, binary.LittleEndian
	switch body := data[20:]; string(data[12:16]) {
	case "VP8X":
		h.moves = body[0]&2 != 0
		h.w = 1 + int(body[4]) + int(body[5])<<8 + int(body[6])<<16
		h.h = 1 + int(body[7]) + int(body[8])<<8 + int(body[9])<<16
	case "VP8 ":
		h.w, h.h = int(le.Uint16(body[6:])&0x3FFF), int(le.Uint16(body[8:])&0x3FFF)
	case "VP8L":
		size := le.Uint32(body[1:])
		h.w, h.h = 1+int(size&0x3FFF), 1+int(size>>14&0x3FFF)
	default:
		return h, fmt.Errorf("its first part is %q, which no WebP begins with", data[12:16])
	}
	return h, nil
}
