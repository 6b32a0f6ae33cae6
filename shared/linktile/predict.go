package linktile

import "encoding/binary"

// A number is predicted as a weighted sum of its neighbours that are known: of its own band those above and to
// the left, of one or two bands before it those all around the same place. How large the residual will be is
// predicted likewise, from the residuals around. The weights are fitted to the band and sent before it.
const (
	tapsOwn    = 10 // W, WW; two rows up -1 to 1; a row up -2 to 2
	tapsFirst  = 9  // of the first reference: the rows above, of and below, -1 to 1 each
	tapsSecond = 5  // of the second: above; -1 to 1; below
	taps       = tapsOwn + tapsFirst + tapsSecond
	sizeTaps   = 12 // of residuals: W, WW, above -1 to 1, two above; the first reference's -1 to 1, above, below; the second's
	weightBits = 14
	sizeBits   = 8
	maxWeight  = 8<<weightBits - 1
	maxSizeTap = 8<<sizeBits - 1
	pad        = 2
)

// predictor is what the decoder needs to know to predict a band.
type predictor struct {
	first, second int // bands that are referred to, -1: none
	start         int32
	weight        [taps]int32
	offset        int64 // all of them in 1/2^weightBits
	sizeWeight    [sizeTaps]int32
	sizeOffset    int32 // in 1/2^sizeBits
}

// append writes the predictor.
func (p *predictor) append(out []byte) []byte {
	out = append(out, byte(p.first+1), byte(p.second+1))
	out = binary.AppendVarint(out, int64(p.start))
	out = binary.AppendVarint(out, p.offset)
	for i, w := range p.weight {
		if p.has(i) {
			out = binary.AppendVarint(out, int64(w))
		}
	}
	out = binary.AppendVarint(out, int64(p.sizeOffset))
	for _, w := range p.sizeWeight {
		out = binary.AppendVarint(out, int64(w))
	}
	return out
}

// has says whether a weight counts.
func (p *predictor) has(tap int) bool {
	return tap < tapsOwn || tap < tapsOwn+tapsFirst && p.first >= 0 || tap >= tapsOwn+tapsFirst && p.second >= 0
}

// read reads the predictor of a band; its references come before it, or the first one is its base.
func (p *predictor) read(r *byteReader, band, base int) {
	p.first, p.second = int(r.byte())-1, int(r.byte())-1
	p.start = int32(r.varint(-1<<16, 1<<16))
	p.offset = r.varint(-1<<40, 1<<40)
	if p.first >= band && p.first != base || p.second >= band {
		r.fail()
		return
	}
	for i := range p.weight {
		if p.has(i) {
			p.weight[i] = int32(r.varint(-maxWeight, maxWeight))
		}
	}
	p.sizeOffset = int32(r.varint(0, 1<<26))
	for i := range p.sizeWeight {
		p.sizeWeight[i] = int32(r.varint(0, maxSizeTap))
	}
}

// rows are three rows of numbers, with pad more of them at both ends.
type rows struct {
	above, here, below []int32
}

func newRows(w int) rows {
	return rows{padded[int32](w + 2*pad), padded[int32](w + 2*pad), padded[int32](w + 2*pad)}
}

func (r *rows) turn() { r.above, r.here, r.below = r.here, r.below, r.above }

func padRow(row []int32) {
	n := len(row)
	row[1], row[0] = row[2], row[2]
	row[n-2], row[n-1] = row[n-3], row[n-3]
}

// surroundings are the rows around the one that is being coded.
type surroundings struct {
	w, h       int
	own        rows // two above, above, and the row itself: named by turns as above, here, below
	ownSize    rows
	first      rows
	firstSize  rows
	second     rows
	secondSize rows
	value      []int64 // the part of the prediction that rests on other rows and bands
	size       []int32
	taps       []tap    // room for those of a row
	codes      []uint32 // of a row
}

func newSurroundings(w, h int) *surroundings {
	return &surroundings{w: w, h: h, own: newRows(w), ownSize: newRows(w), first: newRows(w), firstSize: newRows(w),
		second: newRows(w), secondSize: newRows(w), value: padded[int64](w), size: padded[int32](w), taps: make([]tap, taps), codes: make([]uint32, w)}
}

// plane is a band of numbers and of the sizes of their residuals.
type plane struct {
	pix    []uint16
	sizes  []uint16
	signed bool
}

func (p plane) row(to []int32, y, w int) {
	p.copyRow(to[pad:pad+w], y, w)
	padRow(to)
}

func (p plane) copyRow(to []int32, y, w int) {
	from := p.pix[y*w : (y+1)*w]
	if !p.signed {
		widen(to, from)
		return
	}
	for i, v := range from {
		to[i] = int32(int16(v))
	}
}

func (p plane) sizeRow(to []int32, y, w int) {
	widen(to[pad:pad+w], p.sizes[y*w:(y+1)*w])
	padRow(to)
}

// load brings the rows of a reference around y.
func load(r, sizes *rows, p plane, y, w, h int) {
	if y == 0 {
		p.row(r.here, 0, w)
		copy(r.above, r.here)
		p.sizeRow(sizes.here, 0, w)
		copy(sizes.above, sizes.here)
	} else {
		r.turn()
		sizes.turn()
	}
	if y+1 < h {
		p.row(r.below, y+1, w)
		p.sizeRow(sizes.below, y+1, w)
	} else {
		copy(r.below, r.here)
		copy(sizes.below, sizes.here)
	}
}

// next prepares row y: after it s.own.below and s.ownSize.below are to be filled by the caller, from left to right.
func (s *surroundings) next(p *predictor, planes []plane, y int) {
	s.turn(p, planes, y)
	s.sumValues(p, false)
	s.sumSizes(p, false)
}

// turn brings the rows around row y.
func (s *surroundings) turn(p *predictor, planes []plane, y int) {
	if y > 0 {
		padRow(s.own.below)
		padRow(s.ownSize.below)
		s.own.turn()
		s.ownSize.turn()
		if y == 1 {
			copy(s.own.above, s.own.here)
			copy(s.ownSize.above, s.ownSize.here)
		}
	} else {
		for _, row := range [][]int32{s.own.above, s.own.here, s.own.below} {
			for i := range row {
				row[i] = p.start
			}
		}
		for _, row := range [][]int32{s.ownSize.above, s.ownSize.here, s.ownSize.below} {
			clear(row)
		}
	}
	// left of the row stands what is above its first number
	for i := range pad {
		s.own.below[i] = s.own.here[pad]
		s.ownSize.below[i] = s.ownSize.here[pad]
	}
	if p.first >= 0 {
		load(&s.first, &s.firstSize, planes[p.first], y, s.w, s.h)
	}
	if p.second >= 0 {
		load(&s.second, &s.secondSize, planes[p.second], y, s.w, s.h)
	}
}

// addOwn begins a row's predictions with what rests on the two rows above.
func addOwn(to []int64, above2, above []int32, w *[taps]int32, offset int64) {
	p, q, above2 := int64(above2[0]), int64(above2[1]), above2[2:]
	a, b, c, d, above := int64(above[0]), int64(above[1]), int64(above[2]), int64(above[3]), above[4:]
	above, above2 = above[:len(to)], above2[:len(to)]
	w2, w3, w4 := int64(w[2]), int64(w[3]), int64(w[4])
	v0, v1, v2, v3, v4 := int64(w[5]), int64(w[6]), int64(w[7]), int64(w[8]), int64(w[9])
	for i := range to {
		e, r := int64(above[i]), int64(above2[i])
		to[i] = offset + a*v0 + b*v1 + c*v2 + d*v3 + e*v4 + p*w2 + q*w3 + r*w4
		a, b, c, d = b, c, d, e
		p, q = q, r
	}
}

// addSecond adds the second reference's share: what is above, the row itself and what is below.
func addSecond(to []int64, r rows, w []int32) {
	above, below := r.above[pad:][:len(to)], r.below[pad:][:len(to)]
	a, b, here := int64(r.here[pad-1]), int64(r.here[pad]), r.here[pad+1:][:len(to)]
	w0, w1, w2, w3, w4 := int64(w[0]), int64(w[1]), int64(w[2]), int64(w[3]), int64(w[4])
	for i := range to {
		c := int64(here[i])
		to[i] += int64(above[i])*w0 + a*w1 + b*w2 + c*w3 + int64(below[i])*w4
		a, b = b, c
	}
}

// sizeOwn begins a row's expected sizes.
func sizeOwn(to []int32, above2, above []int32, w *[sizeTaps]int32, offset int32) {
	a, b, above := above[0], above[1], above[2:]
	above, above2 = above[:len(to)], above2[:len(to)]
	w2, w3, w4, w5 := w[2], w[3], w[4], w[5]
	for i := range to {
		c := above[i]
		to[i] = offset + a*w2 + b*w3 + c*w4 + above2[i]*w5
		a, b = b, c
	}
}

// size5 adds what the first reference's sizes say.
func size5(to []int32, r rows, w *[sizeTaps]int32) {
	above, below := r.above[pad:][:len(to)], r.below[pad:][:len(to)]
	a, b, here := r.here[pad-1], r.here[pad], r.here[pad+1:][:len(to)]
	w6, w7, w8, w9, w10 := w[6], w[7], w[8], w[9], w[10]
	for i := range to {
		c := here[i]
		to[i] += a*w6 + b*w7 + c*w8 + above[i]*w9 + below[i]*w10
		a, b = b, c
	}
}

// addLeft adds what the row itself says, of which the first two numbers stand left of it.
func addLeft(to []int64, row []int32, w0, w1 int32) {
	a, rest := int64(row[0]), row[1:][:len(to)]
	for i := range to {
		b := int64(rest[i])
		to[i] += a*int64(w1) + b*int64(w0)
		a = b
	}
}

func size1(to []int32, row []int32, w int32) {
	row = row[:len(to)]
	for i := range to {
		to[i] += row[i] * w
	}
}

func add3(to []int64, row []int32, w0, w1, w2 int32) {
	a, b, rest := int64(row[0]), int64(row[1]), row[2:]
	rest = rest[:len(to)]
	v0, v1, v2 := int64(w0), int64(w1), int64(w2)
	for i := range to {
		c := int64(rest[i])
		to[i] += a*v0 + b*v1 + c*v2
		a, b = b, c
	}
}
