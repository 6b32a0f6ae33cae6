// Package onnx reads, checks and rewrites ONNX files, in plain Go and before any engine sees them:
//
//	file ─▶ Read ─▶ Signature, Nodes     what it takes, gives and is made of
//	         │                                                              ┌▶ engines (shared/infer)
//	         └▶ CheckSafe ─▶ Adapt, Extend: other inputs, outputs and nodes ┤
//	                                                                        └▶ shared/quantise
//
// Files come from strangers: nothing is copied or allocated before its size was held against a bound, and what
// is not rewritten stays byte for byte as it came. That is why there are no generated messages here
// (docs/decisions/0020-onnx-field-by-field.md): a file is walked field by field where it lies (wire.go), by the
// numbers in fields.go.
package onnx

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// TensorInfo is one input or output of an ONNX file. A dimension of -1 is free (a batch, a size).
type TensorInfo struct {
	Name  string
	Shape []int
	Type  int // of its values, as onnx.proto numbers them: Float32, Uint8, Float16 …; 0: not said
}

// Shapes are names and shapes, for people.
func Shapes(outputs []TensorInfo) string {
	var list []string
	for _, o := range outputs {
		list = append(list, fmt.Sprintf("%s %v", o.Name, o.Shape))
	}
	return strings.Join(list, ", ")
}

// Signature is what an ONNX file takes and gives.
type Signature struct {
	Inputs, Outputs []TensorInfo
	Nodes           int
}

// ErrBroken says that a file is no whole ONNX model.
var ErrBroken = errors.New("is no whole ONNX model")

// MaxSize bounds what is read into memory; protobuf itself ends at 2 GiB.
const MaxSize = 2 << 30

// Read reads a model file whole and its signature, in plain Go, so that a truncated file or a
// text file never reaches a native parser.
func Read(path string) ([]byte, Signature, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, Signature{}, fmt.Errorf("model file: %w", err)
	}
	if info.Size() >= MaxSize {
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

// ParseSignature reads the graph's inputs (weights left out) and outputs.
func ParseSignature(data []byte) (Signature, error) {
	var sig Signature
	var graph []byte
	opsets := 0
	err := parts(data, func(num protowire.Number, value []byte) error {
		switch num {
		case ModelGraph:
			graph = value
		case ModelOpsets:
			opsets++
		}
		return nil
	})
	if err != nil || graph == nil || opsets == 0 {
		return sig, ErrBroken
	}
	weights := map[string]bool{}
	err = parts(graph, func(num protowire.Number, value []byte) error {
		switch num {
		case GraphNode:
			sig.Nodes++
			return parts(value, func(protowire.Number, []byte) error { return nil })
		case GraphInput, GraphOutput:
			t, err := ParseInfo(value)
			if num == GraphInput {
				sig.Inputs = append(sig.Inputs, t)
			} else {
				sig.Outputs = append(sig.Outputs, t)
			}
			return err
		case GraphInitializer:
			return parts(value, func(num protowire.Number, value []byte) error {
				if num == TensorExternal {
					return errSecondFile
				}
				if num == TensorName {
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

// ParseInfo reads an input or output.
func ParseInfo(value []byte) (TensorInfo, error) {
	var t TensorInfo
	err := parts(value, func(num protowire.Number, value []byte) error {
		switch num {
		case ValueName:
			t.Name = string(value)
		case ValueType:
			return nested(value, TypeTensor, func(tensor []byte) error {
				t.Type = number32(tensor, TypeElement)
				return nested(tensor, TypeShape, func(shape []byte) error {
					return nested(shape, ShapeDim, func(dim []byte) error {
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
	Fields(data, func(f Field) error {
		if f.Num == want && f.Kind == protowire.VarintType && f.Number < 1<<31 {
			value = int(f.Number)
		}
		return nil
	})
	return value
}

// dimension is the fixed size, or -1 where it has a name or nothing.
func dimension(dim []byte) int {
	num, kind, n := protowire.ConsumeTag(dim)
	if n < 0 || num != DimValue || kind != protowire.VarintType {
		return -1
	}
	v, n := protowire.ConsumeVarint(dim[n:])
	if n < 0 || v == 0 || v > 1<<31 {
		return -1
	}
	return int(v)
}

// TaskOf is the task that an exporter wrote into the file's metadata, as Ultralytics does; empty: none.
func TaskOf(data []byte) string {
	all, err := Metadata(data)
	if err != nil {
		return ""
	}
	return all["task"]
}

// Metadata is what the file says of itself, by key.
func Metadata(data []byte) (all map[string]string, err error) {
	all = map[string]string{}
	err = nested(data, ModelMetadata, func(entry []byte) error {
		var k, v string
		err := parts(entry, func(num protowire.Number, value []byte) error {
			switch num {
			case EntryKey:
				k = string(value)
			case EntryValue:
				v = string(value)
			}
			return nil
		})
		all[k] = v
		return err
	})
	return all, err
}
