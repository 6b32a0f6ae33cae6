package linktile

import "slices"

// encodePixels codes all bands, one after another. pix becomes what the decoder will see.
func encodePixels(h Header, pix []uint16, from []uint8) []byte {
	c := newBandCoder(h, pix, from)
	f := fitter{w: h.W, h: h.H, planes: c.planes}
	f.places(from)
	first, second := f.references()
	var tokens tokenWriter
	var out []byte
	for b := range h.Bands {
		e := h.bound(b)
		flags := newBinaryWriter()
		p := f.fit(b, first[b], second[b], 2*e+1)
		c.encode(&p, b, e, &tokens, flags)
		out = p.append(out)
		out = appendPart(out, tokens.finish())
		out = appendPart(out, tokens.raw.finish())
		out = appendPart(out, flags.finish())
	}
	return out
}

// decodePixels is encodePixels the other way: pix holds the means of the blocks that were left out.
func decodePixels(h Header, data []byte, pix []uint16, from []uint8) error {
	c := newBandCoder(h, pix, from)
	c.contexts.reads = true
	r := byteReader{data: data}
	for b := range h.Bands {
		var p predictor
		p.read(&r, b, -1)
		coded, raw, near := r.part(), r.part(), r.part()
		if r.bad {
			break
		}
		tokens, err := newTokenReader(coded, raw)
		if err != nil {
			return err
		}
		flags := newBinaryReader(near)
		c.decode(&p, b, h.bound(b), tokens, flags)
		if err := tokens.end(); err != nil {
			return err
		}
		if err := flags.end("exact numbers"); err != nil {
			return err
		}
	}
	return r.end("pixels")
}

// bound is the most that a number of a band is off.
func (h Header) bound(band int) int32 {
	if h.Error == nil {
		return 0
	}
	return int32(h.Error[band])
}

// voidValue is the number that marks pixels without data; where the header names none, 0 does.
func (h Header) voidValue() uint16 {
	if h.NoData == nil {
		return 0
	}
	return uint16(int32(*h.NoData))
}

// voids says of each pixel whether no band has data there; nil: each has.
func (t Tile) voids() []bool {
	n, mark := t.W*t.H, t.voidValue()
	if !slices.Contains(t.Pix[:n], mark) {
		return nil
	}
	set := make([]bool, n)
	any := false
	for i := range set {
		set[i] = t.Pix[i] == mark
		for b := 1; b < len(t.Bands) && set[i]; b++ {
			set[i] = t.Pix[b*n+i] == mark
		}
		any = any || set[i]
	}
	if !any {
		return nil
	}
	return set
}

// origins says what each pixel's number comes from; nil: all are coded.
func (h Header) origins(voids, kept []bool) []uint8 {
	if voids == nil && !slices.Contains(kept, false) {
		return nil
	}
	from := make([]uint8, h.W*h.H)
	across := Blocks(h.W)
	for y := range h.H {
		for x := range h.W {
			switch i := y*h.W + x; {
			case voids != nil && voids[i]:
				from[i] = void
			case kept != nil && !kept[y/BlockSide*across+x/BlockSide]:
				from[i] = leftOut
			}
		}
	}
	return from
}

// markVoids gives pixels without data their number back.
func (h Header) markVoids(pix []uint16, from []uint8) {
	n, mark := h.W*h.H, h.voidValue()
	for i, f := range from {
		if f == void {
			for b := range h.Bands {
				pix[b*n+i] = mark
			}
		}
	}
}
