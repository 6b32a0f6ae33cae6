package album

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/gif"

	"cloudcanvas/shared/vision"
)

// still is the first picture of a GIF.
type still struct {
	data []byte
	w, h int
}

func openGIF(data []byte, maxPixels int) (*Album, error) {
	c, err := gif.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading the GIF: %w", err)
	}
	if err := fits(c.Width, c.Height, maxPixels); err != nil {
		return nil, err
	}
	return &Album{count: 1, source: still{data, c.Width, c.Height}}, nil
}

func (s still) bytes(int) int64 { return 4 * int64(s.w) * int64(s.h) }

func (s still) picture(context.Context, int) (vision.Image, vision.Notes, error) {
	var notes vision.Notes
	drawn, err := gif.Decode(bytes.NewReader(s.data))
	if err != nil {
		return vision.Image{}, notes, fmt.Errorf("decoding the GIF: %w", err)
	}
	p, ok := drawn.(*image.Paletted)
	if !ok {
		return vision.Image{}, notes, fmt.Errorf("decoding the GIF: it is a %T", drawn)
	}
	var colours [256][3]byte
	for i, c := range p.Palette {
		r, g, b, a := c.RGBA()
		if a != 0 {
			colours[i] = [3]byte{byte(b >> 8), byte(g >> 8), byte(r >> 8)}
		}
	}
	im := vision.Image{W: s.w, H: s.h, Pix: make([]byte, 3*s.w*s.h)}
	at := p.Rect.Intersect(image.Rect(0, 0, s.w, s.h))
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			c := colours[p.ColorIndexAt(x, y)]
			copy(im.Pix[3*(y*s.w+x):], c[:])
		}
	}
	if gifMoves(s.data) {
		notes.Left = "it moves, and only its first picture is taken"
	}
	return im, notes, nil
}

func (s still) native(int) []byte { return nil }
func (s still) close()            {}

// gifMoves says whether a GIF has more than one picture, by its blocks.
func gifMoves(data []byte) bool {
	if len(data) < 13 {
		return false
	}
	table := func(flags byte) int {
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	n := 0
	for at := 13 + table(data[10]); at < len(data); {
		switch data[at] {
		case 0x21: // an extension, and its label
			at += 2
		case 0x2C:
			if n++; n > 1 {
				return true
			}
			if at+10 > len(data) {
				return false
			}
			at += 10 + table(data[at+9]) + 1 // the bits of a code
		default:
			return false
		}
		for at < len(data) && data[at] != 0 {
			at += 1 + int(data[at])
		}
		at++
	}
	return false
}
