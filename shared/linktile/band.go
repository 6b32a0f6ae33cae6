package linktile

import "slices"

// What a pixel's number comes from.
const (
	coded   = iota
	void    // no band has data: it is filled from the left, so that its neighbours are predicted well
	leftOut // the block's mean
	known   // an earlier layer
)

// bandCoder codes one band after another.
type bandCoder struct {
	w, h      int
	low, high int32
	specials  []int32 // numbers that stay exact, and that no other number becomes
	planes    []plane
	from      []uint8 // coded, void or leftOut of each pixel; nil: all are coded
	around    *surroundings
	contexts  contexts
}

func newBandCoder(h Header, pix []uint16, from []uint8) *bandCoder {
	n := h.W * h.H
	c := &bandCoder{w: h.W, h: h.H, from: from, around: newSurroundings(h.W, h.H), specials: h.specials()}
	low, high := Limits(h.DataType)
	c.low, c.high = int32(low), int32(high)
	sizes := make([]uint16, len(pix))
	for b := range h.Bands {
		c.planes = append(c.planes, plane{pix[b*n : (b+1)*n], sizes[b*n : (b+1)*n], h.DataType == "Int16"})
	}
	return c
}

// specials are the numbers that mean something by themselves: no data, and what a saturated sensor gives.
func (h Header) specials() []int32 {
	low, high := Limits(h.DataType)
	out := []int32{int32(low), 0, int32(high)}
	if h.NoData != nil {
		out = append(out, int32(*h.NoData))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// encode codes a band with an error of at most e, and leaves in its plane what the decoder will see.
func (c *bandCoder) encode(p *predictor, band int, e int32, tokens *tokenWriter, flags *binaryWriter) {
	c.contexts.forget()
	plane, s, step := c.planes[band], c.around, 2*e+1
	near := c.exact(e)
	w0, w1, z0, z1 := int64(p.weight[0]), int64(p.weight[1]), p.sizeWeight[0], p.sizeWeight[1]
	for y := range c.h {
		s.next(p, c.planes, y)
		pix, sizes, own, ownSize := plane.pix[y*c.w:(y+1)*c.w], plane.sizes[y*c.w:(y+1)*c.w], s.own.below, s.ownSize.below
		for x := range pix {
			left, left2 := own[x+pad-1], own[x+pad-2]
			at := left
			if y > 0 {
				at = int32((s.value[x] + int64(left)*w0 + int64(left2)*w1 + 1<<(weightBits-1)) >> weightBits)
				at = min(max(at, c.low), c.high)
			}
			var v, r int32
			if c.from != nil && c.from[y*c.w+x] != coded {
				v = left
				if c.from[y*c.w+x] != void {
					v = plane.value(pix[x])
				}
			} else {
				context := c.context(s.size[x], ownSize[x+pad-1]*z0+ownSize[x+pad-2]*z1)
				v = plane.value(pix[x])
				r = v - at
				if e > 0 {
					if r >= 0 {
						r = (r + e) / step
					} else {
						r = -((e - r) / step)
					}
				}
				tokens.put(c.table(context), zigzag(r))
				if e > 0 {
					v = near.encode(flags, min(max(at+r*step, c.low), c.high), v)
				}
				r = min(max(r, -r), 1<<16-1)
			}
			own[x+pad], ownSize[x+pad] = v, r
			pix[x], sizes[x] = uint16(v), uint16(r)
		}
	}
}

// decode is encode the other way.
func (c *bandCoder) decode(p *predictor, band int, e int32, tokens *tokenReader, flags *binaryReader) {
	c.contexts.forget()
	plane, s, step := c.planes[band], c.around, 2*e+1
	near := c.exact(e)
	state, other := tokens.state, tokens.other
	low, high := c.low, c.high
	w0, w1, z0, z1 := int64(p.weight[0]), int64(p.weight[1]), p.sizeWeight[0], p.sizeWeight[1]
	for y := range c.h {
		s.next(p, c.planes, y)
		pix, sizes, own, ownSize := plane.pix[y*c.w:(y+1)*c.w], plane.sizes[y*c.w:(y+1)*c.w], s.own.below, s.ownSize.below
		own, ownSize = own[pad-2:pad+c.w], ownSize[pad-2:pad+c.w]
		left, left2, size, size2 := own[1], own[0], ownSize[1], ownSize[0]
		own, ownSize = own[2:], ownSize[2:]
		around, sizeAround := s.value[:len(pix)], s.size[:len(pix)]
		own, ownSize, sizes = own[:len(pix)], ownSize[:len(pix)], sizes[:len(pix)]
		for x := range pix {
			at := left
			if y > 0 {
				at = int32((around[x] + int64(left)*w0 + int64(left2)*w1 + 1<<(weightBits-1)) >> weightBits)
				at = min(max(at, low), high)
			}
			var v, r int32
			if c.from != nil && c.from[y*c.w+x] != coded {
				v = left
				if c.from[y*c.w+x] != void {
					v = plane.value(pix[x])
				}
			} else {
				t := c.table(c.context(sizeAround[x], size*z0+size2*z1))
				// tokens.get, written out: here a reader spends its time
				share := state & (probTotal - 1)
				token := uint32(t.token[share])
				part := t.part[token]
				state = part&0xffff*(state>>probBits) + share - part>>16
				if state < stateLow {
					state = state<<16 | tokens.more()
				}
				state, other = other, state
				t.saw(token)
				if token >= direct {
					n := uint(token-direct)/4 + 2
					token = (4+token&3)<<n | tokens.raw.get(n)
				}
				r = unzigzag(token)
				v = at + r*step
				v = min(max(v, low), high)
				if e > 0 {
					v = near.decode(flags, v)
				}
				r = min(max(r, -r), 1<<16-1)
			}
			own[x], ownSize[x] = v, r
			pix[x], sizes[x] = uint16(v), uint16(r)
			left2, left = left, v
			size2, size = size, r
		}
	}
	tokens.state, tokens.other = state, other
}

func (c *bandCoder) context(around, left int32) uint32 {
	return contextOf(uint32(around+left) >> (sizeBits - 4))
}

func (c *bandCoder) table(context uint32) *table {
	if t := c.contexts.tables[context]; t != nil {
		return t
	}
	return c.contexts.first(context)
}

func (p plane) value(v uint16) int32 {
	if p.signed {
		return int32(int16(v))
	}
	return int32(v)
}

// exact keeps special numbers what they are where others are off by up to e: near one of them a flag says
// whether it is meant, and another number that would come out as a special one is moved to the side it lies on.
type exact struct {
	specials  []int32
	low, high int32
	e         int32
	model     [4][2]probability // of each special number: is it meant; on which side
}

func (c *bandCoder) exact(e int32) *exact {
	n := &exact{specials: c.specials, low: c.low, high: c.high, e: e}
	for i := range n.model {
		n.model[i] = [2]probability{even, even}
	}
	return n
}

func (n *exact) encode(w *binaryWriter, got, v int32) int32 {
	for i, s := range n.specials {
		if got < s-n.e || got > s+n.e {
			continue
		}
		w.put(&n.model[i][0], bit(v == s))
		if v == s {
			return s
		}
	}
	for i, s := range n.specials {
		if got != s {
			continue
		}
		w.put(&n.model[i][1], bit(v > s))
		return n.aside(s, v > s)
	}
	return got
}

func (n *exact) decode(r *binaryReader, got int32) int32 {
	for i, s := range n.specials {
		if got < s-n.e || got > s+n.e {
			continue
		}
		if r.get(&n.model[i][0]) == 1 {
			return s
		}
	}
	for i, s := range n.specials {
		if got == s {
			return n.aside(s, r.get(&n.model[i][1]) == 1)
		}
	}
	return got
}

// aside is the next number that is not special.
func (n *exact) aside(v int32, up bool) int32 {
	d := int32(-1)
	if up {
		d = 1
	}
	for slices.Contains(n.specials, v) {
		v += d
	}
	return min(max(v, n.low), n.high)
}

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
