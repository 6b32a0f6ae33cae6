package quantise

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Element types of onnx.proto3's TensorProto.DataType.
const (
	kindFloat32 = 1
	kindUint8   = 2
	kindInt8    = 3
	kindInt32   = 6
	kindFloat16 = 10
)

// Fields of TensorProto.
const (
	tensorDims   = 1
	tensorKind   = 2
	tensorFloats = 4
	tensorInt32s = 5 // also of float16, one in each
	tensorName   = 8
	tensorRaw    = 9
)

// tensor is a TensorProto. body is the message as it came.
type tensor struct {
	name string
	dims []int
	kind int
	body []byte
}

func readTensor(body []byte) (tensor, error) {
	t := tensor{body: body}
	err := fields(body, func(f field) error {
		switch f.num {
		case tensorDims:
			return f.numbers(func(v uint64) { t.dims = append(t.dims, int(v)) })
		case tensorKind:
			t.kind = int(f.number)
		case tensorName:
			t.name = string(f.bytes)
		}
		return nil
	})
	return t, err
}

// size is how many elements the dimensions speak of; -1 where they are out of range.
func (t tensor) size() int {
	n := 1
	for _, d := range t.dims {
		if d < 0 || d > 1<<31 || d > 0 && n > 1<<31/d {
			return -1
		}
		n *= d
	}
	return n
}

// floats are the elements of a float tensor of either width.
func (t tensor) floats() ([]float32, error) {
	n := t.size()
	if t.kind != kindFloat32 && t.kind != kindFloat16 || n < 0 {
		return nil, fmt.Errorf("tensor %s of type %d and shape %v holds no floats", t.name, t.kind, t.dims)
	}
	var values []float32
	err := fields(t.body, func(f field) error {
		switch {
		case f.num == tensorRaw && t.kind == kindFloat32:
			if len(f.bytes) != 4*n {
				return fmt.Errorf("tensor %s has %d bytes for shape %v", t.name, len(f.bytes), t.dims)
			}
			values = make([]float32, n)
			for i := range values {
				values[i] = math.Float32frombits(binary.LittleEndian.Uint32(f.bytes[4*i:]))
			}
		case f.num == tensorRaw:
			if len(f.bytes) != 2*n {
				return fmt.Errorf("tensor %s has %d bytes for shape %v", t.name, len(f.bytes), t.dims)
			}
			values = make([]float32, n)
			for i := range values {
				values[i] = half(binary.LittleEndian.Uint16(f.bytes[2*i:]))
			}
		case f.num == tensorFloats && f.kind == protowire.BytesType:
			for b := f.bytes; len(b) >= 4; b = b[4:] {
				values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
		case f.num == tensorFloats:
			values = append(values, math.Float32frombits(uint32(f.number)))
		case f.num == tensorInt32s && t.kind == kindFloat16:
			return f.numbers(func(v uint64) { values = append(values, half(uint16(v))) })
		}
		return nil
	})
	if err == nil && len(values) != n {
		err = fmt.Errorf("tensor %s has %d values for shape %v", t.name, len(values), t.dims)
	}
	return values, err
}

// widened is a float16 tensor as a float32 one; others stay as they are.
func (t tensor) widened() ([]byte, error) {
	if t.kind != kindFloat16 {
		return t.body, nil
	}
	values, err := t.floats()
	if err != nil {
		return nil, err
	}
	return floatTensor(t.name, t.dims, values), nil
}

func floatTensor(name string, dims []int, values []float32) []byte {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return rawTensor(name, dims, kindFloat32, raw)
}

func rawTensor(name string, dims []int, kind int, raw []byte) (b []byte) {
	for _, d := range dims {
		b = number(b, tensorDims, uint64(d))
	}
	b = number(b, tensorKind, uint64(kind))
	b = message(b, tensorName, []byte(name))
	return message(b, tensorRaw, raw)
}
