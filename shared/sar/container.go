package sar

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
)

// How the bytes of a part are stored.
const (
	stored     = 0
	compressed = 1 // with Zstandard
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	packer     = must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false)))
)

func must(w *zstd.Encoder, err error) *zstd.Encoder {
	if err != nil {
		panic(err) // the options are right ones
	}
	return w
}

// appendPart appends bytes: how they are stored, how many bytes that is, and these. What compresses by less than a
// tenth is stored as it is.
func appendPart(out, part []byte) []byte {
	how, packed := byte(compressed), packer.EncodeAll(part, nil)
	if len(packed) > len(part)-len(part)/10 {
		how, packed = stored, part
	}
	out = binary.AppendUvarint(append(out, how), uint64(len(packed)))
	return append(out, packed...)
}

// takePart takes a part of least to most bytes off.
func takePart(data []byte, least, most int) (part, rest []byte, err error) {
	bad := func(what string) ([]byte, []byte, error) { return nil, nil, fmt.Errorf("%w: %s", ErrMalformed, what) }
	if len(data) == 0 {
		return bad("it is cut short")
	}
	n, k := binary.Uvarint(data[1:])
	if k <= 0 || n > uint64(len(data)-1-k) {
		return bad("it is cut short")
	}
	part, rest = data[1+k:1+k+int(n)], data[1+k+int(n):]
	switch data[0] {
	case stored:
	case compressed:
		reader, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(max(most, 1))), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		defer reader.Close()
		if part, err = reader.DecodeAll(part, make([]byte, 0, least)); err != nil {
			return bad("a part of it does not unpack: " + err.Error())
		}
	default:
		return bad(fmt.Sprintf("a part of it is stored in way %d, which this version does not know", data[0]))
	}
	if len(part) < least || len(part) > most {
		return bad(fmt.Sprintf("a part of it has %d bytes, must have %d to %d", len(part), least, most))
	}
	return part, rest, nil
}

// seal appends a checksum.
func seal(data []byte) []byte {
	return binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
}

// unseal checks the checksum and takes it and the magic off.
func unseal(data []byte, magic string) ([]byte, error) {
	if len(data) < len(magic)+4 || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: it does not begin with %s, as those of this version do", ErrMalformed, magic)
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: its checksum is that of other bytes", ErrMalformed)
	}
	return body[len(magic):], nil
}

// number is the size of each of the two numbers of a sample.
func (f Format) number() int { return f.Bytes() / 2 }
