package linktile

import (
	"encoding/binary"
	"fmt"
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
