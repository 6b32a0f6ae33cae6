package model

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// every calls each for every field: value of those with a length, v of whole numbers.
func every(data []byte, each func(num protowire.Number, kind protowire.Type, value []byte, v uint64) error) error {
	for len(data) > 0 {
		num, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return ErrBroken
		}
		data = data[n:]
		size := protowire.ConsumeFieldValue(num, kind, data)
		if size < 0 {
			return ErrBroken
		}
		var value []byte
		var v uint64
		switch kind {
		case protowire.BytesType:
			value, _ = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			v, _ = protowire.ConsumeVarint(data)
		}
		if err := each(num, kind, value, v); err != nil {
			return err
		}
		data = data[size:]
	}
	return nil
}

// appendInts adds whole numbers that stand alone or packed; more than are ever looked up are left out.
func appendInts(to []int64, kind protowire.Type, value []byte, v uint64) []int64 {
	if kind == protowire.VarintType {
		return append(to, int64(v))[:min(len(to)+1, maxKept+1)]
	}
	for len(value) > 0 && len(to) <= maxKept {
		v, n := protowire.ConsumeVarint(value)
		if n < 0 {
			break
		}
		to, value = append(to, int64(v)), value[n:]
	}
	return to
}

func littleEndian(raw []byte, size int) (ints []int64) {
	for ; len(raw) >= size && len(ints) <= maxKept; raw = raw[size:] {
		if size == 8 {
			ints = append(ints, int64(binary.LittleEndian.Uint64(raw)))
		} else {
			ints = append(ints, int64(int32(binary.LittleEndian.Uint32(raw))))
		}
	}
	return ints
}
