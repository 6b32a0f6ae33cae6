package linktile

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// byteReader takes numbers off bytes; the first that is missing or out of bounds is remembered.
type byteReader struct {
	data []byte
	bad  bool
}

func (r *byteReader) fail() { r.bad, r.data = true, nil }

func (r *byteReader) byte() byte {
	if len(r.data) == 0 {
		r.fail()
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *byteReader) varint(low, high int64) int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 || v < low || v > high {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

// part takes bytes with their length before them.
func (r *byteReader) part() []byte {
	n, k := binary.Uvarint(r.data)
	if k <= 0 || n > uint64(len(r.data)-k) {
		r.fail()
		return nil
	}
	part := r.data[k : k+int(n)]
	r.data = r.data[k+int(n):]
	return part
}

// end says whether all was there, and no more.
func (r *byteReader) end(what string) error {
	if r.bad || len(r.data) > 0 {
		return fmt.Errorf("%w: its %s are damaged", ErrMalformed, what)
	}
	return nil
}

func appendPart(out, part []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(part))), part...)
}

// bitWriter and bitReader hold bits as they are, the lowest first.
type bitWriter struct {
	out  []byte
	bits uint64
	n    uint
}

func (w *bitWriter) put(v uint32, n uint) {
	w.bits |= uint64(v) << w.n
	if w.n += n; w.n >= 32 {
		w.out = binary.LittleEndian.AppendUint32(w.out, uint32(w.bits))
		w.bits >>= 32
		w.n -= 32
	}
}

func (w *bitWriter) finish() []byte {
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
	}
	out := w.out
	*w = bitWriter{}
	return out
}

type bitReader struct {
	data []byte
	bits uint64
	n    uint
	over uint // bits that were asked for and are not there

	copied []byte // room for ahead
}

// lengthen gives data if it has n bytes, else a copy with zeros behind, in room.
func lengthen(room *[]byte, data []byte, n int) []byte {
	if len(data) >= n {
		return data
	}
	*room = slices.Grow((*room)[:0], n)[:n]
	clear((*room)[copy(*room, data):])
	return *room
}

// ahead gives the bytes that are to be read, with zeros behind where they may not be enough for the bits of so many
// tokens, of which each has two bytes at most.
func (r *bitReader) ahead(tokens int) []byte { return lengthen(&r.copied, r.data, 2*tokens+16) }

// took takes note of how many of these bytes were read into bits, of which n are left.
func (r *bitReader) took(read int, bits uint64, n uint) {
	if beyond := 8 * uint(max(read-len(r.data), 0)); beyond <= n {
		n -= beyond
	} else {
		r.over += beyond - n
		n = 0
	}
	r.data, r.bits, r.n = r.data[min(read, len(r.data)):], bits&(1<<n-1), n
}

func (r *bitReader) get(n uint) uint32 {
	if r.n < n {
		r.fill(n)
	}
	v := uint32(r.bits) & (1<<n - 1)
	r.bits >>= n
	r.n -= n
	return v
}

func (r *bitReader) fill(n uint) {
	if len(r.data) >= 4 {
		r.bits |= uint64(binary.LittleEndian.Uint32(r.data)) << r.n
		r.data = r.data[4:]
		r.n += 32
		return
	}
	for len(r.data) > 0 {
		r.bits |= uint64(r.data[0]) << r.n
		r.data = r.data[1:]
		r.n += 8
	}
	if r.n < n {
		r.over += n - r.n
		r.n = n
	}
}

func (r *bitReader) ended() bool { return r.over == 0 && len(r.data) == 0 && r.n < 8 && r.bits == 0 }
