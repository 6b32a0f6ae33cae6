package linktile

import "fmt"

// probability is that of a 0, in 1/2^16, learned at two speeds.
type probability struct{ fast, slow uint16 }

var even = probability{1 << 15, 1 << 15}

// share is the part of a range that a 0 has.
func (p probability) share(rng uint32) uint32 {
	return rng >> 16 * min(max((uint32(p.fast)+uint32(p.slow))>>1, 24), 1<<16-24)
}

func (p *probability) saw(bit uint32) {
	if bit == 0 {
		p.fast += (1<<16 - 1 - p.fast) >> 4
		p.slow += (1<<16 - 1 - p.slow) >> 7
	} else {
		p.fast -= p.fast >> 4
		p.slow -= p.slow >> 7
	}
}

// binaryWriter is an adaptive coder of bits: the range coder of LZMA.
type binaryWriter struct {
	low   uint64
	rng   uint32
	held  byte
	ones  int // bytes of 255 that wait for a carry
	begun bool
	out   []byte
}

func newBinaryWriter() *binaryWriter { return &binaryWriter{rng: 1<<32 - 1} }

func (w *binaryWriter) put(p *probability, bit uint32) {
	part := p.share(w.rng)
	if bit == 0 {
		w.rng = part
	} else {
		w.low += uint64(part)
		w.rng -= part
	}
	p.saw(bit)
	for w.rng < 1<<24 {
		w.rng <<= 8
		w.shift()
	}
}

func (w *binaryWriter) shift() {
	if w.low < 0xff<<24 || w.low >= 1<<32 {
		carry := byte(w.low >> 32)
		if w.begun {
			w.out = append(w.out, w.held+carry)
		}
		for ; w.ones > 0; w.ones-- {
			w.out = append(w.out, 0xff+carry)
		}
		w.held, w.begun = byte(w.low>>24), true
	} else {
		w.ones++
	}
	w.low = w.low & 0x00ffffff << 8
}

// finish gives the bytes; zeros at the end are left away.
func (w *binaryWriter) finish() []byte {
	for range 5 {
		w.shift()
	}
	for len(w.out) > 0 && w.out[len(w.out)-1] == 0 {
		w.out = w.out[:len(w.out)-1]
	}
	return w.out
}

// binaryReader reads what binaryWriter wrote. Behind the end it reads zeros, as the writer left them away.
type binaryReader struct {
	data []byte
	code uint32
	rng  uint32
}

func newBinaryReader(data []byte) *binaryReader {
	r := &binaryReader{data: data, rng: 1<<32 - 1}
	for range 4 {
		r.code = r.code<<8 | r.next()
	}
	return r
}

func (r *binaryReader) next() uint32 {
	if len(r.data) == 0 {
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return uint32(b)
}

func (r *binaryReader) get(p *probability) uint32 {
	part := p.share(r.rng)
	var bit uint32
	if r.code < part {
		r.rng = part
	} else {
		bit = 1
		r.code -= part
		r.rng -= part
	}
	p.saw(bit)
	for r.rng < 1<<24 {
		r.rng <<= 8
		r.code = r.code<<8 | r.next()
	}
	return bit
}

// end says whether all was read.
func (r *binaryReader) end(what string) error {
	if len(r.data) > 0 {
		return fmt.Errorf("%w: bytes behind its %s", ErrMalformed, what)
	}
	return nil
}
