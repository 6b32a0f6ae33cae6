package raster

import (
	"fmt"

	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// LinkTile is the picture of a tile as it travels, in the scene's own numbers as c has them. Each number of
// the picture comes back exactly as a reflectance, but by precision, a reflectance: 0 keeps all.
func LinkTile(im vision.Image, g Georef, c Coding, at windows.Part, precision float64) (linktile.Tile, error) {
	c, err := c.fit(im)
	if err != nil {
		return linktile.Tile{}, err
	}
	t := linktile.Tile{Header: linktile.Header{W: im.W, H: im.H, Bands: im.Bands, DataType: c.DataType, NoData: c.NoData, EPSG: g.EPSG, Affine: g.Transform, Place: placeOf(at)}}
	for _, s := range c.Scalings {
		t.Scalings = append(t.Scalings, linktile.Scaling(s))
	}
	t.Error = c.Steps(precision)
	switch c.DataType {
	case "Byte":
		t.Pix = bits(numbers[byte](im, c))
	case "Int16":
		t.Pix = bits(numbers[int16](im, c))
	case "UInt16":
		t.Pix = numbers[uint16](im, c)
	default:
		return linktile.Tile{}, fmt.Errorf("encode a tile: no data type %s; use Byte, UInt16 or Int16", c.DataType)
	}
	return t, nil
}

func bits[T byte | int16](from []T) []uint16 {
	to := make([]uint16, len(from))
	for i, v := range from {
		to[i] = uint16(v)
	}
	return to
}

// FromLinkTile is the picture that a tile holds: the scene's own reflectances. Pixels are void where they hold
// the no-data number.
func FromLinkTile(t linktile.Tile) vision.Image {
	n := t.W * t.H
	pixels := make([]float32, n*len(t.Bands))
	if t.DataType == "Int16" {
		for i, v := range t.Pix {
			pixels[i] = float32(int16(v))
		}
	} else {
		for i, v := range t.Pix {
			pixels[i] = float32(v)
		}
	}
	im := vision.Image{W: t.W, H: t.H}
	nodata := make([]*float32, len(t.Bands))
	scalings := make([]Scaling, len(t.Bands))
	for i, band := range t.Bands {
		im.Planes, im.Bands = append(im.Planes, pixels[i*n:(i+1)*n:(i+1)*n]), append(im.Bands, CanonicalBand(band))
		scalings[i] = Scaling(t.Scalings[i])
		if t.NoData != nil {
			none := float32(*t.NoData)
			nodata[i] = &none
		}
	}
	reflectance(&im, nodata, scalings, t.DataType == "Byte")
	return im
}

// LinkTileBytes is how much memory a tile takes until a network has seen it: what its decoder holds, its
// reflectances, two marks a pixel, and the masks that are made of it.
func LinkTileBytes(h linktile.Header) int64 {
	pixels := int64(h.W) * int64(h.H)
	return h.Memory() + pixels*int64(len(h.Bands))*4 + pixels*8
}

func placeOf(p windows.Part) linktile.Place {
	g, t := p.Grid, p.Tile
	return linktile.Place{SceneW: g.Width, SceneH: g.Height, X: t.Held.X, Y: t.Held.Y, Size: g.Size, Overlap: g.Overlap, Margin: g.Margin,
		Col: t.Span.Col, Row: t.Span.Row, Cols: t.Span.Cols, Rows: t.Span.Rows}
}

// LinkPart is the place of a tile, which holds the pixels that the windows there show, or it is refused.
func LinkPart(h linktile.Header) (windows.Part, error) {
	p := h.Place
	g := windows.Grid{Width: p.SceneW, Height: p.SceneH, Size: p.Size, Overlap: p.Overlap, Margin: p.Margin, Group: max(p.Cols, p.Rows)}
	span := windows.Span{Col: p.Col, Row: p.Row, Cols: p.Cols, Rows: p.Rows}
	if err := g.Check(); err != nil {
		return windows.Part{}, fmt.Errorf("%w: %w", linktile.ErrMalformed, err)
	}
	if !g.Has(span) {
		return windows.Part{}, fmt.Errorf("%w: a scene of %d x %d pixels has no windows %d x %d from %d, %d on", linktile.ErrMalformed, p.SceneW, p.SceneH, p.Cols, p.Rows, p.Col, p.Row)
	}
	// A window is mirrored pixel by pixel to find what it shows: its size is bounded by Check and by the header's.
	t := g.Of(span)
	if held := (Window{X: p.X, Y: p.Y, W: h.W, H: h.H}); t.Held != held {
		return windows.Part{}, fmt.Errorf("%w: it holds %s, the windows there show %s", linktile.ErrMalformed, held, t.Held)
	}
	return windows.Part{Grid: g, Tile: t}, nil
}
