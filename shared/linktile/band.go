package linktile

import (
	"bytes"
	"encoding/binary"
	"slices"
)

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
		if e == 0 && y > 0 && c.codedRow(y) {
			c.encodeRow(p, plane, y, tokens)
			continue
		}
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
				size := sizeOf(s.size[x] + ownSize[x+pad-1]*z0 + ownSize[x+pad-2]*z1)
				v = plane.value(pix[x])
				r = v - at
				if e > 0 {
					if r >= 0 {
						r = (r + e) / step
					} else {
						r = -((e - r) / step)
					}
				}
				tokens.put(c.contexts.of(size), zigzag(r))
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

// encodeRow is encode for a row that is coded whole and without loss: its numbers are known before, so that nothing in
// it waits for the number to the left.
func (c *bandCoder) encodeRow(p *predictor, plane plane, y int, tokens *tokenWriter) {
	s := c.around
	s.turn(p, c.planes, y)
	own, ownSize := s.own.below[pad:pad+c.w], s.ownSize.below[pad:pad+c.w]
	plane.copyRow(own, y, c.w)
	s.sumValues(p, true)
	sizes, value, codes := plane.sizes[y*c.w:][:len(own)], s.value[:len(own)], s.codes[:len(own)]
	ownSize = ownSize[:len(own)]
	low, high := c.low, c.high
	for x, v := range own {
		at := int32((value[x] + 1<<(weightBits-1)) >> weightBits)
		r := v - min(max(at, low), high)
		codes[x] = zigzag(r)
		r = min(max(r, -r), 1<<16-1)
		ownSize[x], sizes[x] = r, uint16(r)
	}
	s.sumSizes(p, true)
	tokens.putRow(&c.contexts, s.size[:len(codes)], codes)
}

// decode is encode the other way.
func (c *bandCoder) decode(p *predictor, band int, e int32, tokens *tokenReader, flags *binaryReader) {
	c.contexts.forget()
	plane, s, step := c.planes[band], c.around, 2*e+1
	near := c.exact(e)
	low, high := c.low, c.high
	w0, w1, z0, z1 := int64(p.weight[0]), int64(p.weight[1]), p.sizeWeight[0], p.sizeWeight[1]
	for y := range c.h {
		s.next(p, c.planes, y)
		if e == 0 && y > 0 && c.codedRow(y) {
			c.decodeRow(p, plane, y, tokens)
			continue
		}
		state, other := tokens.state, tokens.other
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
				t := c.contexts.of(sizeOf(sizeAround[x] + size*z0 + size2*z1))
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
		tokens.state, tokens.other = state, other
	}
}

// codedRow says whether all of a row is coded.
func (c *bandCoder) codedRow(y int) bool {
	return c.from == nil || bytes.Count(c.from[y*c.w:(y+1)*c.w], []byte{coded}) == c.w
}

// decodeRow is decode for a row that is coded whole and without loss. What each
// pixel waits for is the size of the residual to its left, then the table, the token, its bits: nothing else is in
// that chain, and no branch that can't be foreseen.
func (c *bandCoder) decodeRow(p *predictor, plane plane, y int, tokens *tokenReader) {
	s := c.around
	pix := plane.pix[y*c.w : (y+1)*c.w]
	sizes, own, ownSize := plane.sizes[y*c.w:][:len(pix)], s.own.below[pad:][:len(pix)], s.ownSize.below[pad:][:len(pix)]
	left, left2, size, size2 := s.own.below[pad-1], s.own.below[pad-2], s.ownSize.below[pad-1], s.ownSize.below[pad-2]
	around, sizeAround := s.value[:len(pix)], s.size[:len(pix)]
	low, high := c.low, c.high
	w0, w1, z0, z1 := int64(p.weight[0]), int64(p.weight[1]), p.sizeWeight[0], p.sizeWeight[1]
	state, other, data, at := tokens.state, tokens.other, tokens.ahead(c.w), 0
	raw, bits, n, rawAt := tokens.raw.ahead(c.w), tokens.raw.bits, tokens.raw.n, 0
	for x := range pix {
		t := c.contexts.of(sizeOf(sizeAround[x] + size*z0 + size2*z1))
		share := state & (probTotal - 1)
		token := t.token[share]
		part := t.part[token]
		state = part&0xffff*(state>>probBits) + share - part>>16
		short := (uint64(state) - stateLow) >> 63 // 1: the next part of the state is due
		more := uint32(binary.LittleEndian.Uint16(data[at:]))
		due := -uint32(short)
		state = state&^due | (state<<16|more)&due
		at += int(short * 2)
		state, other = other, state
		t.saw(uint32(token))

		bits |= binary.LittleEndian.Uint64(raw[rawAt:]) << n
		rawAt += int(63-n) >> 3
		n |= 56
		spelt := &spellings[token]
		z := spelt.least + uint32(bits)&spelt.mask
		bits >>= spelt.bits
		n -= uint(spelt.bits)

		predicted := int32((around[x] + int64(left)*w0 + int64(left2)*w1 + 1<<(weightBits-1)) >> weightBits)
		v := min(max(predicted, low), high) + unzigzag(z)
		v = min(max(v, low), high)
		r := int32(min((z+1)>>1, 1<<16-1))
		own[x], ownSize[x] = v, r
		pix[x], sizes[x] = uint16(v), uint16(r)
		left2, left = left, v
		size2, size = size, r
	}
	tokens.state, tokens.other = state, other
	tokens.took(at)
	tokens.raw.took(rawAt, bits, n)
}

// sizeOf is an expected size in sixteenths.
func sizeOf(sum int32) uint32 { return uint32(sum) >> (sizeBits - 4) }

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
