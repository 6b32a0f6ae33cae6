package quantise

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"cloudcanvas/shared/model"
)

// field is one field of a protobuf message.
type field struct {
	num    protowire.Number
	kind   protowire.Type
	bytes  []byte // of a length-delimited one
	number uint64 // of a number, as its bits
	copied []byte // tag and value, to be copied
}

// whole calls each for a repeated whole number, packed or not.
func (f field) numbers(each func(uint64)) error {
	if f.kind != protowire.BytesType {
		each(f.number)
		return nil
	}
	for b := f.bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return model.ErrBroken
		}
		each(v)
		b = b[n:]
	}
	return nil
}

func (f field) float() float32 { return math.Float32frombits(uint32(f.number)) }

// fields calls each for every field of a message, in order.
func fields(data []byte, each func(field) error) error {
	for len(data) > 0 {
		num, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return model.ErrBroken
		}
		f := field{num: num, kind: kind}
		size := protowire.ConsumeFieldValue(num, kind, data[n:])
		if size < 0 {
			return model.ErrBroken
		}
		value := data[n : n+size]
		switch kind {
		case protowire.BytesType:
			f.bytes, _ = protowire.ConsumeBytes(value)
		case protowire.VarintType:
			f.number, _ = protowire.ConsumeVarint(value)
		case protowire.Fixed32Type:
			v, _ := protowire.ConsumeFixed32(value)
			f.number = uint64(v)
		case protowire.Fixed64Type:
			f.number, _ = protowire.ConsumeFixed64(value)
		}
		f.copied = data[:n+size]
		if err := each(f); err != nil {
			return err
		}
		data = data[n+size:]
	}
	return nil
}
