package model

import (
	"errors"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protowire"
)

// TensorInfo is one input or output of an ONNX file. A dimension of -1 is free (a batch, a size).
type TensorInfo struct {
	Name  string
	Shape []int
	Type  int // of its values, as onnx.proto3 numbers them: 1 float32, 2 uint8, 10 float16; 0: not said
}

// TypeUint8 is the type of pictures whose pixels go in as they are.
const TypeUint8 = 2

// Signature is what an ONNX file takes and gives.
type Signature struct {
	Inputs, Outputs []TensorInfo
	Nodes           int
}

// ErrBroken says that a file is no whole ONNX model.
var ErrBroken = errors.New("is no whole ONNX model")

// maxONNX bounds what is read into memory; protobuf itself ends at 2 GiB.
const maxONNX = 2 << 30

// ReadONNX reads a model file whole and its signature, in plain Go, so that a truncated file or a
// text file never reaches a native parser.
func ReadONNX(path string) ([]byte, Signature, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, Signature{}, fmt.Errorf("model file: %w", err)
	}
	if info.Size() >= maxONNX {
		return nil, Signature{}, fmt.Errorf("%s: is over 2 GiB; protobuf ends there, split the network", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, Signature{}, fmt.Errorf("model file: %w", err)
	}
	sig, err := ParseSignature(data)
	if errors.Is(err, errSecondFile) {
		return nil, sig, fmt.Errorf("%s: %w: %w", path, ErrUnsafe, err)
	}
	if err == nil {
		if err = CheckSafe(data); errors.Is(err, ErrUnsafe) {
			return nil, sig, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		return nil, sig, fmt.Errorf("%s: %w; fetch it again (canvas-edge models pull) or export it again", path, err)
	}
	return data, sig, nil
}

// Field numbers of onnx.proto3 (github.com/onnx/onnx).
const (
	modelGraph       = 7
	modelOpsets      = 8
	modelMetadata    = 14
	entryKey         = 1
	entryValue       = 2
	graphNode        = 1
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	tensorName       = 8
	tensorExternal   = 13
	valueName        = 1
	valueType        = 2
	typeTensor       = 1
	elementType      = 1
	tensorShape      = 2
	shapeDim         = 1
	dimValue         = 1
)

// ParseSignature reads the graph's inputs (weights left out) and outputs.
func ParseSignature(data []byte) (Signature, error) {
	var sig Signature
	var graph []byte
	opsets := 0
	err := fields(data, func(num protowire.Number, value []byte) error {
		switch num {
		case modelGraph:
			graph = value
		case modelOpsets:
			opsets++
		}
		return nil
	})
	if err != nil || graph == nil || opsets == 0 {
		return sig, ErrBroken
	}
	weights := map[string]bool{}
	err = fields(graph, func(num protowire.Number, value []byte) error {
		switch num {
		case graphNode:
			sig.Nodes++
			return fields(value, func(protowire.Number, []byte) error { return nil })
		case graphInput, graphOutput:
			t, err := tensorInfo(value)
			if num == graphInput {
				sig.Inputs = append(sig.Inputs, t)
			} else {
				sig.Outputs = append(sig.Outputs, t)
			}
			return err
		case graphInitializer:
			return fields(value, func(num protowire.Number, value []byte) error {
				if num == tensorExternal {
					return errSecondFile
				}
				if num == tensorName {
					weights[string(value)] = true
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return sig, err
	}
	// Old exporters list the weights among the inputs.
	inputs := sig.Inputs[:0]
	for _, in := range sig.Inputs {
		if !weights[in.Name] {
			inputs = append(inputs, in)
		}
	}
	sig.Inputs = inputs
	if sig.Nodes == 0 || len(sig.Inputs) == 0 || len(sig.Outputs) == 0 {
		return sig, ErrBroken
	}
	return sig, nil
}

func tensorInfo(value []byte) (TensorInfo, error) {
	var t TensorInfo
	err := fields(value, func(num protowire.Number, value []byte) error {
		switch num {
		case valueName:
			t.Name = string(value)
		case valueType:
			return nested(value, typeTensor, func(tensor []byte) error {
				t.Type = number32(tensor, elementType)
				return nested(tensor, tensorShape, func(shape []byte) error {
					return nested(shape, shapeDim, func(dim []byte) error {
						t.Shape = append(t.Shape, dimension(dim))
						return nil
					})
				})
			})
		}
		return nil
	})
	return t, err
}

// number32 is the value of a field that is a small number; 0 where there is none.
func number32(data []byte, want protowire.Number) (value int) {
	for len(data) > 0 {
		num, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return value
		}
		data = data[n:]
		if num == want && kind == protowire.VarintType {
			if v, n := protowire.ConsumeVarint(data); n > 0 && v < 1<<31 {
				value = int(v)
			}
		}
		if n = protowire.ConsumeFieldValue(num, kind, data); n < 0 {
			return value
		}
		data = data[n:]
	}
	return value
}

// dimension is the fixed size, or -1 where it has a name or nothing.
func dimension(dim []byte) int {
	num, kind, n := protowire.ConsumeTag(dim)
	if n < 0 || num != dimValue || kind != protowire.VarintType {
		return -1
	}
	v, n := protowire.ConsumeVarint(dim[n:])
	if n < 0 || v == 0 || v > 1<<31 {
		return -1
	}
	return int(v)
}

func nested(data []byte, want protowire.Number, each func([]byte) error) error {
	return fields(data, func(num protowire.Number, value []byte) error {
		if num == want {
			return each(value)
		}
		return nil
	})
}

// fields calls each for every length-delimited field and steps over the others.
func fields(data []byte, each func(num protowire.Number, value []byte) error) error {
	return eachField(data, func(num protowire.Number, _, value []byte) error {
		if value == nil {
			return nil
		}
		return each(num, value)
	})
}

// eachField hands on the fields of a message in order: all bytes of each, and those of its value where it
// has bytes, else nil.
func eachField(data []byte, take func(num protowire.Number, field, value []byte) error) error {
	for len(data) > 0 {
		num, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return ErrBroken
		}
		size := protowire.ConsumeFieldValue(num, kind, data[n:])
		if size < 0 {
			return ErrBroken
		}
		var value []byte
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(data[n:])
		}
		if err := take(num, data[:n+size], value); err != nil {
			return err
		}
		data = data[n+size:]
	}
	return nil
}

// TaskOf is the task that an exporter wrote into the file's metadata, as Ultralytics does; empty: none.
func TaskOf(data []byte) string {
	all, err := allMetadata(data)
	if err != nil {
		return ""
	}
	return all["task"]
}

// allMetadata is what the file says of itself, by key.
func allMetadata(data []byte) (all map[string]string, err error) {
	all = map[string]string{}
	err = nested(data, modelMetadata, func(entry []byte) error {
		var k, v string
		err := fields(entry, func(num protowire.Number, value []byte) error {
			switch num {
			case entryKey:
				k = string(value)
			case entryValue:
				v = string(value)
			}
			return nil
		})
		all[k] = v
		return err
	})
	return all, err
}
