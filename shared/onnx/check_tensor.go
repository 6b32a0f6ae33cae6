package onnx

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

// bitsOf are the bits of a tensor's element in raw_data, by onnx.proto's data type; 0: it has none.
var bitsOf = map[uint64]int{1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 8: 0, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
	17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4}

// tensor looks at the weights of one tensor: they stand in this file, all of them. ints are its values
// where it is a small one of whole numbers.
func (c *safety) tensor(data []byte) (name string, ints []int64, err error) {
	if c.tensors++; c.tensors > maxTensors {
		return "", nil, fmt.Errorf("has more than %d tensors", maxTensors)
	}
	var dims []int64
	var kind, raw uint64
	var typed uint64 // elements in fields of their own
	var bytes []byte
	hasRaw := false
	err = Fields(data, func(f Field) error {
		packed := f.Kind == protowire.BytesType
		switch f.Num {
		case TensorDims:
			dims = appendInts(dims, f)
		case TensorType:
			kind = f.Number
		case TensorName:
			name = string(f.Bytes)
		case TensorExternal:
			return errDeepSecond
		case TensorLocation:
			if f.Number != 0 {
				return errDeepSecond
			}
		case TensorSegment:
			return errors.New("keeps its weights in segments; save the model as one file")
		case TensorRaw:
			hasRaw, raw, bytes = true, uint64(len(f.Bytes)), f.Bytes
		case TensorFloats:
			typed += fixed(packed, f.Bytes, 4)
		case TensorDoubles:
			typed += fixed(packed, f.Bytes, 8)
		case TensorInt32s, TensorInt64s, TensorUint64s:
			typed += varints(packed, f.Bytes)
			ints = appendInts(ints, f)
		case TensorStrings:
			typed++
		}
		return nil
	})
	if err != nil {
		return name, nil, err
	}
	elements, err := product(dims)
	if err != nil {
		return name, nil, fmt.Errorf("tensor %.60q %w", name, err)
	}
	size, known := bitsOf[kind]
	if !known {
		return name, nil, fmt.Errorf("tensor %.60q is of an unknown type (%d)", name, kind)
	}
	want, have := elements, typed
	switch {
	case hasRaw && size > 0:
		high, low := bits.Mul64(elements, uint64(size))
		if want, have = low/8, raw; low%8 != 0 {
			want++
		}
		if high != 0 {
			want = math.MaxUint64
		}
	case kind == Complex64 || kind == Complex128:
		want *= 2
	case size == 4:
		want = elements/2 + elements%2
	}
	if want != have {
		return name, nil, fmt.Errorf("tensor %.60q of shape %v has weights for %d of %d places", name, dims, have, want)
	}
	if elements > maxKept || kind != Int64 && kind != Int32 {
		return name, nil, nil
	}
	if hasRaw {
		ints = littleEndian(bytes, size/8)
	}
	if ints == nil {
		ints = []int64{}
	}
	return name, ints, nil
}

func fixed(packed bool, value []byte, size int) uint64 {
	if packed {
		return uint64(len(value) / size)
	}
	return 1
}

// varints counts packed whole numbers by the byte that ends each.
func varints(packed bool, value []byte) (n uint64) {
	if !packed {
		return 1
	}
	for _, b := range value {
		if b < 0x80 {
			n++
		}
	}
	return n
}

// product is how many elements a shape has.
func product(dims []int64) (uint64, error) {
	if len(dims) > maxRank {
		return 0, fmt.Errorf("has %d dimensions and more, at most %d are taken", maxRank+1, maxRank)
	}
	n := uint64(1)
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("has the shape %v", dims)
		}
		high, low := bits.Mul64(n, uint64(d))
		if n = low; high != 0 {
			n = math.MaxUint64
		}
	}
	return n, nil
}
