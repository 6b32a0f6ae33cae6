package linktile

import (
	"fmt"
	"slices"
)

// A number of which the base says all but an error of at most e is one of 2e+1. Which one is predicted from the
// base's numbers on all sides, from the exact ones above and to the left, and from another band; coded is how far
// it lies from the base's, in a context of where in the interval the prediction lies and how sure it is.

const residualLevels = 9 // of each of the two

func residualContext(at8, base, size, e int32) uint32 {
	where := min(max(at8-base*8, -8*e), 8*e) + 8*e
	return uint32(where*(residualLevels-1)+8*e)/uint32(16*e)*residualLevels + uint32(min(size/(2*e), residualLevels-1))
}

// refine codes a band by code, which is given what an encoder codes and gives what a decoder reads.
func (c *bandCoder) refine(p *predictor, band int, base plane, e int32, code func(t *table, z uint32) uint32) error {
	c.contexts.forget()
	plane, s := c.planes[band], c.around
	for y := range c.h {
		s.next(p, c.planes, y)
		pix, sizes, own, ownSize := plane.pix[y*c.w:(y+1)*c.w], plane.sizes[y*c.w:(y+1)*c.w], s.own.below, s.ownSize.below
		for x := range pix {
			known := base.value(base.pix[y*c.w+x])
			at8 := (s.value[x] + int64(own[x+pad-1])*int64(p.weight[0]) + int64(own[x+pad-2])*int64(p.weight[1])) >> (weightBits - 3)
			at := min(max(int32(min(max(at8, -1<<20), 1<<20)), c.low*8), c.high*8)
			v, r := known, int32(0)
			switch from := c.origin(y*c.w + x); {
			case from == void:
				v = own[x+pad-1]
			case from == coded && !slices.Contains(c.specials, known):
				size := (s.size[x] + ownSize[x+pad-1]*p.sizeWeight[0] + ownSize[x+pad-2]*p.sizeWeight[1]) >> (sizeBits - 4)
				t := c.contexts.in(residualContext(at, known, size, e))
				d := unzigzag(code(t, zigzag(plane.value(pix[x])-known)))
				if v = known + d; d < -e || d > e || v < c.low || v > c.high {
					return fmt.Errorf("%w: a number is further off its base than %d", ErrMalformed, e)
				}
				r = (at+4)/8 - v
				r = max(r, -r)
			}
			own[x+pad], ownSize[x+pad] = v, r
			pix[x], sizes[x] = uint16(v), uint16(min(r, 1<<16-1))
		}
	}
	return nil
}

func (c *bandCoder) origin(i int) uint8 {
	if c.from == nil {
		return coded
	}
	return c.from[i]
}

// refiner has the bands of the base behind those that are being made.
func refiner(base Tile, pix []uint16, from []uint8) *bandCoder {
	c := newBandCoder(base.Header, pix, from)
	none := make([]uint16, base.W*base.H)
	for b := range base.Bands {
		p := base.plane(base.Pix, b)
		p.sizes = none
		c.planes = append(c.planes, p)
	}
	return c
}

// encodeResiduals codes what a base is off.
func encodeResiduals(base Tile, pix []uint16, from []uint8) ([]byte, error) {
	c := refiner(base, pix, from)
	n := len(base.Bands)
	f := fitter{w: base.W, h: base.H, planes: c.planes}
	f.places(from)
	first, _ := f.references()
	var tokens tokenWriter
	var out []byte
	for b := range n {
		e := base.bound(b)
		if e == 0 {
			copy(c.planes[b].pix, c.planes[n+b].pix)
			continue
		}
		p := f.fit(b, n+b, first[b], 1)
		err := c.refine(&p, b, c.planes[n+b], e, func(t *table, z uint32) uint32 { tokens.put(t, z); return z })
		if err != nil {
			return nil, err
		}
		out = p.append(out)
		out = appendPart(out, tokens.finish())
		out = appendPart(out, tokens.raw.finish())
	}
	return out, nil
}

func decodeResiduals(base Tile, data []byte, pix []uint16, from []uint8) error {
	c := refiner(base, pix, from)
	c.contexts.reads = true
	n := len(base.Bands)
	r := byteReader{data: data}
	for b := range n {
		e := base.bound(b)
		if e == 0 {
			copy(c.planes[b].pix, c.planes[n+b].pix)
			continue
		}
		var p predictor
		p.read(&r, b, n+b)
		coded, raw := r.part(), r.part()
		if r.bad {
			break
		}
		tokens, err := newTokenReader(coded, raw)
		if err != nil {
			return err
		}
		if err := c.refine(&p, b, c.planes[n+b], e, func(t *table, _ uint32) uint32 { return tokens.get(t) }); err != nil {
			return err
		}
		if err := tokens.end(); err != nil {
			return err
		}
	}
	return r.end("residuals")
}
