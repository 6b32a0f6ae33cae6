package linktile

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
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

// spelling is how a token is written: the least code that it stands for, and the bits after it.
type spelling struct {
	least uint32
	mask  uint32
	bits  uint8
}

// spellings has room for any byte, so that none needs to be checked.
var spellings = func() (all [256]spelling) {
	for token := range uint32(direct) {
		all[token].least = token
	}
	for token := uint32(direct); token < tokens; token++ {
		n := (token-direct)/4 + 2
		all[token] = spelling{(4 + token&3) << n, 1<<n - 1, uint8(n)}
	}
	return all
}()

// tokenOfSmall are the tokens of the codes that are met most.
var tokenOfSmall = func() (all [1 << 10]uint8) {
	for z := range all {
		token, _, _ := tokenOf(uint32(z))
		all[z] = uint8(token)
	}
	return all
}()

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
	small  [smallSizes]*table // of an expected size, where that is met most
	spare  []*table
}

const (
	maxContexts = 84
	maxSize     = 1<<22 - 1 // of the last context
	smallSizes  = 1 << 10
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

// of gives the table of an expected size.
func (c *contexts) of(size uint32) *table {
	if size < smallSizes && c.small[size] != nil {
		return c.small[size]
	}
	return c.find(size)
}

// in gives the table of a context.
func (c *contexts) in(context uint32) *table {
	if t := c.tables[context]; t != nil {
		return t
	}
	return c.first(context)
}

func (c *contexts) find(size uint32) *table {
	t := c.in(contextOf(size))
	if size < smallSizes {
		c.small[size] = t
	}
	return t
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
	clear(c.small[:])
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

// putRow puts a row of residuals' codes, each of which has its expected size.
func (w *tokenWriter) putRow(c *contexts, sizes []int32, codes []uint32) {
	coded := slices.Grow(w.coded, len(codes))
	parts := coded[len(coded):][:len(codes)]
	sizes = sizes[:len(codes)]
	for x, z := range codes {
		t := c.of(sizeOf(sizes[x]))
		var token uint32
		if z < uint32(len(tokenOfSmall)) {
			token = uint32(tokenOfSmall[z])
		} else {
			token, _, _ = tokenOf(z)
		}
		parts[x] = t.part[token]
		t.saw(token)
		spelt := &spellings[token]
		w.raw.put(z&spelt.mask, uint(spelt.bits))
	}
	w.coded = coded[:len(coded)+len(codes)]
}

// finish gives the coded tokens. Two states take turns, so that a processor can work on both.
func (w *tokenWriter) finish() []byte {
	out := make([]byte, 2*len(w.coded)+8+2)
	at, state, other := len(out), uint32(stateLow), uint32(stateLow)
	for i := len(w.coded) - 1; i >= 0; i-- {
		start, freq := w.coded[i]>>16, w.coded[i]&0xffff
		binary.LittleEndian.PutUint16(out[at-2:], uint16(state)) // which counts only where the state is too large:
		full := (uint64(freq) - 1 - uint64(state>>20)) >> 63     // without a branch, for it is as likely as not
		at -= int(full * 2)
		state >>= full * 16 & 31
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
	copied       []byte // room for ahead
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

// ahead gives what is to be read, with zeros behind it where it may not be enough for so many tokens, of which each
// takes two bytes at most: then they can be read without asking each time whether there are any.
func (r *tokenReader) ahead(tokens int) []byte { return lengthen(&r.copied, r.data, 2*tokens+2) }

// took takes note of how far that was read.
func (r *tokenReader) took(n int) {
	r.short = r.short || n > len(r.data)
	r.data = r.data[min(n, len(r.data)):]
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
