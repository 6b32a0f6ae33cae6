package quantise

import (
	"encoding/binary"
	"fmt"
	"math"

	"cloudcanvas/shared/onnx"
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
	err := onnx.Fields(body, func(f onnx.Field) error {
		switch f.Num {
		case onnx.TensorDims:
			return f.Numbers(func(v uint64) { t.dims = append(t.dims, int(v)) })
		case onnx.TensorType:
			t.kind = int(f.Number)
		case onnx.TensorName:
			t.name = string(f.Bytes)
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
	if t.kind != onnx.Float32 && t.kind != onnx.Float16 || n < 0 {
		return nil, fmt.Errorf("tensor %s of type %d and shape %v holds no floats", t.name, t.kind, t.dims)
	}
	var values []float32
	err := onnx.Fields(t.body, func(f onnx.Field) error {
		switch {
		case f.Num == onnx.TensorRaw && t.kind == onnx.Float32:
			if len(f.Bytes) != 4*n {
				return fmt.Errorf("tensor %s has %d bytes for shape %v", t.name, len(f.Bytes), t.dims)
			}
			values = make([]float32, n)
			for i := range values {
				values[i] = math.Float32frombits(binary.LittleEndian.Uint32(f.Bytes[4*i:]))
			}
		case f.Num == onnx.TensorRaw:
			if len(f.Bytes) != 2*n {
				return fmt.Errorf("tensor %s has %d bytes for shape %v", t.name, len(f.Bytes), t.dims)
			}
			values = make([]float32, n)
			for i := range values {
				values[i] = half(binary.LittleEndian.Uint16(f.Bytes[2*i:]))
			}
		case f.Num == onnx.TensorFloats && f.Bytes != nil:
			for b := f.Bytes; len(b) >= 4; b = b[4:] {
				values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
		case f.Num == onnx.TensorFloats:
			values = append(values, math.Float32frombits(uint32(f.Number)))
		case f.Num == onnx.TensorInt32s && t.kind == onnx.Float16:
			return f.Numbers(func(v uint64) { values = append(values, half(uint16(v))) })
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
	if t.kind != onnx.Float16 {
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
	return onnx.Tensor(name, dims, onnx.Float32, raw)
}
