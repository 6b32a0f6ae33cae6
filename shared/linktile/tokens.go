package linktile

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// A residual is coded as a token, whose frequencies are learned for each context while coding, and for large
// ones some bits after it as they are. Small residuals have a token each; of larger ones the token says the
// power of two and the next two bits.
const (
	direct     = 16
	tokens     = direct + (maxBits-4)*4
	maxBits    = 18 // of a residual with its sign
	probBits   = 12
	probTotal  = 1 << probBits
	stateLow   = 1 << 16 // a state of the coder lies in [stateLow, stateLow<<16)
	firstTable = 32      // residuals until a context's table is first made anew; then twice as many, up to lastTable
	lastTable  = 2048
	oldCounts  = 1 << 13 // counts are halved above, so that the model forgets
)

// tokenOf splits a residual's code z into its token and the bits after it.
func tokenOf(z uint32) (token, extra uint32, n uint) {
	if z < direct {
		return z, 0, 0
	}
	n = uint(bits.Len32(z)) - 3
	return direct + (uint32(n)-2)*4 + z>>n&3, z & (1<<n - 1), n
}

// zigzag folds the sign into the lowest bit.
func zigzag(v int32) uint32   { return uint32(v<<1) ^ uint32(v>>31) }
func unzigzag(z uint32) int32 { return int32(z>>1) ^ -int32(z&1) }

// table holds what one context has learned of its tokens.
type table struct {
	left   int32 // until it is made anew
	every  int32
	part   [tokens]uint32 // start<<16 | frequency
	counts [tokens]uint32
	reads  bool
	token  [probTotal + 8]uint8 // of each share of the probability, which only a reader needs to know
}

// reset begins with a guess from the size of residuals that the context stands for, in sixteenths. All of it
// is whole numbers: encoder and decoder must come to the same on any processor.
func (t *table) reset(size uint32) {
	const weight = 48
	scale := uint64(size)*3 + 8
	var guess [tokens]uint64
	var sum uint64
	for i := range guess {
		z, width := uint64(i), uint64(1)
		if i >= direct {
			n := uint((i-direct)/4 + 2)
			z, width = uint64(4+(i-direct)%4)<<n, 1<<n
		}
		r := scale << 16 / (scale + (z*2+width)*4) // (1 + |residual|/scale)^-5
		r2 := r * r >> 16
		guess[i] = max(r2*r2>>16*r>>16*width, 1)
		sum += guess[i]
	}
	for i := range t.counts {
		t.counts[i] = uint32(guess[i] * weight * 64 / sum)
	}
	t.every = firstTable
	t.make()
}

// make turns counts into frequencies. Each token keeps at least one share.
func (t *table) make() {
	var total uint32
	for _, c := range t.counts {
		total += c
	}
	share := uint64(probTotal-tokens) << 32 / uint64(max(total, 1))
	var freq [tokens]uint32
	sum, best := uint32(0), 0
	for i, c := range t.counts {
		freq[i] = uint32(uint64(c)*share>>32) + 1
		sum += freq[i]
		if freq[i] > freq[best] {
			best = i
		}
	}
	freq[best] += probTotal - sum
	at := uint32(0)
	for i, f := range freq {
		t.part[i] = at<<16 | f
		if t.reads {
			same := uint64(i) * 0x0101010101010101
			for k := at; k < at+f; k += 8 { // what is written too far is written over by the next tokens
				binary.LittleEndian.PutUint64(t.token[k:], same)
			}
		}
		at += f
	}
	t.left, t.every = t.every, min(t.every*2, lastTable)
	if total > oldCounts*64 {
		for i := range t.counts {
			t.counts[i] >>= 1
		}
	}
}

// saw learns a token.
func (t *table) saw(token uint32) {
	t.counts[token] += 64
	if t.left--; t.left == 0 {
		t.make()
	}
}

// contexts are the tables of a band, made when they are first met.
type contexts struct {
	reads  bool
	tables [maxContexts]*table
	spare  []*table
}

const (
	maxContexts = 84
	maxSize     = 1<<22 - 1 // of the last context
)

// contextOf sorts an expected size of the residual, in sixteenths, into quarters of powers of two.
func contextOf(size uint32) uint32 {
	size = min(size, maxSize)
	if size < 4 {
		return size
	}
	n := uint32(bits.Len32(size))
	return (n-2)*4 + size>>(n-3)&3
}

func (c *contexts) first(context uint32) *table {
	var t *table
	if n := len(c.spare); n > 0 {
		t, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		t = &table{reads: c.reads}
	}
	size := context
	if context >= 4 {
		size = (4 + context&3) << (context/4 - 1)
	}
	t.reset(size)
	c.tables[context] = t
	return t
}

// forget makes all tables spare.
func (c *contexts) forget() {
	for i, t := range c.tables {
		if t != nil {
			c.spare, c.tables[i] = append(c.spare, t), nil
		}
	}
}

// tokenWriter takes tokens in their order and codes them from the last to the first, as asymmetric numeral
// systems (Duda 2013) need it; they come out in order.
type tokenWriter struct {
	coded []uint32 // the part of each
	raw   bitWriter
}

func (w *tokenWriter) put(t *table, z uint32) {
	token, extra, n := tokenOf(z)
	w.coded = append(w.coded, t.part[token])
	if n > 0 {
		w.raw.put(extra, n)
	}
	t.saw(token)
}

// finish gives the coded tokens. Two states take turns, so that a processor can work on both.
func (w *tokenWriter) finish() []byte {
	out := make([]byte, 2*len(w.coded)+8)
	at, state, other := len(out), uint32(stateLow), uint32(stateLow)
	for i := len(w.coded) - 1; i >= 0; i-- {
		start, freq := w.coded[i]>>16, w.coded[i]&0xffff
		if state>>20 >= freq {
			at -= 2
			binary.LittleEndian.PutUint16(out[at:], uint16(state))
			state >>= 16
		}
		q := state / freq
		state, other = other, q<<probBits+(state-q*freq)+start
	}
	at -= 8
	binary.LittleEndian.PutUint32(out[at:], other)
	binary.LittleEndian.PutUint32(out[at+4:], state)
	w.coded = w.coded[:0]
	return out[at:]
}

// tokenReader reads what tokenWriter wrote.
type tokenReader struct {
	state, other uint32
	data         []byte
	raw          bitReader
	short        bool
}

func newTokenReader(coded, raw []byte) (*tokenReader, error) {
	if len(coded) < 8 {
		return nil, fmt.Errorf("%w: %d bytes of tokens", ErrMalformed, len(coded))
	}
	return &tokenReader{state: binary.LittleEndian.Uint32(coded), other: binary.LittleEndian.Uint32(coded[4:]),
		data: coded[8:], raw: bitReader{data: raw}}, nil
}

func (r *tokenReader) get(t *table) uint32 {
	state := r.state
	share := state & (probTotal - 1)
	token := uint32(t.token[share])
	part := t.part[token]
	state = part&0xffff*(state>>probBits) + share - part>>16
	if state < stateLow {
		state = state<<16 | r.more()
	}
	r.state, r.other = r.other, state
	t.saw(token)
	if token < direct {
		return token
	}
	n := uint(token-direct)/4 + 2
	return (4+token&3)<<n | r.raw.get(n)
}

// more reads the next part of a state.
func (r *tokenReader) more() uint32 {
	if len(r.data) < 2 {
		r.short = true
		return 0
	}
	v := uint32(r.data[0]) | uint32(r.data[1])<<8
	r.data = r.data[2:]
	return v
}

// end says whether everything was read, and no more.
func (r *tokenReader) end() error {
	if r.short || r.state != stateLow || r.other != stateLow || len(r.data) != 0 || !r.raw.ended() {
		return fmt.Errorf("%w: its pixels do not end where they should: bytes are damaged", ErrMalformed)
	}
	return nil
}
