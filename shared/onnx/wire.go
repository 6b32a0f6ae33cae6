package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is one field of a protobuf message.
type Field struct {
	Num    protowire.Number
	Kind   protowire.Type
	Bytes  []byte // of a length-delimited one; else nil
	Number uint64 // of a number, as its bits
	All    []byte // tag and value
}

// Fields calls each for every field of a message, in order. Nothing is copied.
func Fields(data []byte, each func(Field) error) error {
	for len(data) > 0 {
		num, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return ErrBroken
		}
		size := protowire.ConsumeFieldValue(num, kind, data[n:])
		if size < 0 {
			return ErrBroken
		}
		f := Field{Num: num, Kind: kind, All: data[:n+size]}
		switch value := data[n : n+size]; kind {
		case protowire.BytesType:
			f.Bytes, _ = protowire.ConsumeBytes(value)
		case protowire.VarintType:
			f.Number, _ = protowire.ConsumeVarint(value)
		case protowire.Fixed32Type:
			v, _ := protowire.ConsumeFixed32(value)
			f.Number = uint64(v)
		case protowire.Fixed64Type:
			f.Number, _ = protowire.ConsumeFixed64(value)
		}
		if err := each(f); err != nil {
			return err
		}
		data = data[n+size:]
	}
	return nil
}

// Float is a number of 32 bits.
func (f Field) Float() float32 { return math.Float32frombits(uint32(f.Number)) }

// Numbers calls each for a repeated whole number, packed or not.
func (f Field) Numbers(each func(uint64)) error {
	if f.Kind != protowire.BytesType {
		each(f.Number)
		return nil
	}
	for b := f.Bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return ErrBroken
		}
		each(v)
		b = b[n:]
	}
	return nil
}

// parts calls each for every length-delimited field and steps over the others.
func parts(data []byte, each func(num protowire.Number, value []byte) error) error {
	return Fields(data, func(f Field) error {
		if f.Kind != protowire.BytesType {
			return nil
		}
		return each(f.Num, f.Bytes)
	})
}

// nested calls each for every message in one field.
func nested(data []byte, want protowire.Number, each func([]byte) error) error {
	return parts(data, func(num protowire.Number, value []byte) error {
		if num != want {
			return nil
		}
		return each(value)
	})
}

// rewrite copies a message with each field of one number made anew.
func rewrite(data []byte, change protowire.Number, anew func(value []byte) ([]byte, error)) ([]byte, error) {
	made := make([]byte, 0, len(data))
	err := Fields(data, func(f Field) error {
		if f.Num != change || f.Kind != protowire.BytesType {
			made = append(made, f.All...)
			return nil
		}
		value, err := anew(f.Bytes)
		made = AppendMessage(made, f.Num, value)
		return err
	})
	return made, err
}

// without copies a message but for one field.
func without(data []byte, drop protowire.Number, dropped func(value []byte)) ([]byte, error) {
	kept := make([]byte, 0, len(data))
	err := Fields(data, func(f Field) error {
		switch {
		case f.Num != drop:
			kept = append(kept, f.All...)
		case f.Kind == protowire.BytesType:
			dropped(f.Bytes)
		}
		return nil
	})
	return kept, err
}

// appendInts adds whole numbers that stand alone or packed; more than are ever looked up are left out.
func appendInts(to []int64, f Field) []int64 {
	if f.Kind == protowire.VarintType {
		return append(to, int64(f.Number))[:min(len(to)+1, maxKept+1)]
	}
	for value := f.Bytes; len(value) > 0 && len(to) <= maxKept; {
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

// AppendMessage adds a length-delimited field to a message.
func AppendMessage(b []byte, num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), value)
}

// AppendText adds a field of text.
func AppendText(b []byte, num protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), value)
}

// AppendNumber adds a whole number.
func AppendNumber(b []byte, num protowire.Number, value int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(value))
}
