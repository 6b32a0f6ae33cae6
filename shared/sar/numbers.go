package sar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"

	"github.com/klauspost/compress/huff0"
)

// Numbers travel in chunks of 65,536: of each chunk first the first bytes of all numbers, then the second ones and so
// on, each of these planes by itself
//
//	0 bytes            as they are
//	1 byte             all alike
//	2 length bytes     with Huffman's code (of Zstandard, four streams)
//
// Echoes of a converter of 4 bits take 3.6 bits a number; of focused floats only the plane of sign and exponent
// shrinks, to three bits. Matches, which Zstandard looks for, are not found in noise: it is three times slower and
// 5 % larger (of the echoes of TestRealEchoesShrink).
const (
	asTheyAre = iota
	allAlike
	huffman

	chunk = 1 << 16 // numbers
)

// appendNumbers appends the numbers of data, each of `size` bytes.
func appendNumbers(out, data []byte, size int) []byte {
	step := chunk * size
	usual := len(data) / 2 // of bytes; of floats all but half of each fourth byte
	if size == 4 {
		usual = len(data) / 8 * 7
	}
	collect(usual)
	out = slices.Grow(out, usual)
	packed := make([][]byte, min(8*runtime.GOMAXPROCS(0), len(data)/step+1))
	for at := 0; at < len(data); at += len(packed) * step {
		part := data[at:min(at+len(packed)*step, len(data))]
		n := (len(part) + step - 1) / step
		each(n, func(i int) { packed[i] = appendChunk(packed[i][:0], part[i*step:min((i+1)*step, len(part))], size) })
		for _, p := range packed[:n] {
			out = append(out, p...)
		}
	}
	return out
}

func appendChunk(out, data []byte, size int) []byte {
	n := len(data) / size
	plane := make([]byte, n)
	scratch := huff0.Scratch{Reuse: huff0.ReusePolicyNone} // each plane has its own table
	for b := range size {
		for i := range plane {
			plane[i] = data[i*size+b]
		}
		code, _, err := huff0.Compress4X(plane, &scratch)
		switch {
		case bytes.Count(plane, plane[:1]) == n:
			out = append(out, allAlike, plane[0])
		case err == nil && len(code) < n-n/20:
			out = binary.AppendUvarint(append(out, huffman), uint64(len(code)))
			out = append(out, code...)
		default: // err says that it does not shrink
			out = append(append(out, asTheyAre), plane...)
		}
	}
	return out
}

// takeNumbers takes `want` bytes of numbers off, each of `size` bytes. What is there is looked through before
// anything of that length is made.
func takeNumbers(data []byte, want, size int) (numbers, rest []byte, err error) {
	starts := make([]int, 0, 1+min(want/(chunk*size), len(data)))
	at := 0
	for left := want; left > 0; left -= chunk * size {
		starts = append(starts, at)
		n := min(chunk, left/size)
		for range size {
			length, err := planeLength(data[at:], n)
			if err != nil {
				return nil, nil, err
			}
			at += length
		}
	}
	collect(want)
	numbers = make([]byte, want)
	failed := make([]error, len(starts))
	each(len(starts), func(i int) {
		out := numbers[i*chunk*size : min((i+1)*chunk*size, want)]
		failed[i] = takeChunk(out, data[starts[i]:], size)
	})
	for _, err := range failed {
		if err != nil {
			return nil, nil, err
		}
	}
	return numbers, data[at:], nil
}

// planeLength is how many bytes a plane of n numbers takes, with its header.
func planeLength(data []byte, n int) (int, error) {
	length := 0
	if len(data) > 0 {
		switch data[0] {
		case asTheyAre:
			length = 1 + n
		case allAlike:
			length = 2
		case huffman:
			size, k := binary.Uvarint(data[1:])
			if k <= 0 || size > chunk {
				return 0, fmt.Errorf("%w: a plane of its numbers is longer than they are", ErrMalformed)
			}
			length = 1 + k + int(size)
		default:
			return 0, fmt.Errorf("%w: its numbers are stored in way %d, which this version does not know", ErrMalformed, data[0])
		}
	}
	if length == 0 || length > len(data) {
		return 0, fmt.Errorf("%w: its numbers are cut short", ErrMalformed)
	}
	return length, nil
}

// takeChunk unpacks a chunk whose planes have been seen to be there.
func takeChunk(out, data []byte, size int) error {
	n := len(out) / size
	for b := range size {
		length, err := planeLength(data, n)
		if err != nil {
			return err
		}
		plane := data[1:length]
		switch data[0] {
		case allAlike:
			plane = bytes.Repeat(plane, n)
		case huffman:
			_, k := binary.Uvarint(plane)
			if plane, err = takeHuffman(plane[k:], n); err != nil {
				return err
			}
		}
		data = data[length:]
		for i, v := range plane {
			out[i*size+b] = v
		}
	}
	return nil
}

func takeHuffman(code []byte, n int) ([]byte, error) {
	table, streams, err := huff0.ReadTable(code, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: a table of its numbers: %w", ErrMalformed, err)
	}
	plane, err := table.Decoder().Decompress4X(make([]byte, 0, n), streams)
	if err != nil || len(plane) != n {
		return nil, fmt.Errorf("%w: %d of %d numbers unpack: %w", ErrMalformed, len(plane), n, err)
	}
	return plane, nil
}
