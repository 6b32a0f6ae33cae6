package infer

import (
	"errors"
	"fmt"

	"cloudcanvas/shared/onnx"

	ort "github.com/yalue/onnxruntime_go"
)

// ortSession keeps tensors for each input shape it has seen.
type ortSession struct {
	engine *ortEngine
	run    *ort.DynamicAdvancedSession
	own    *ort.DynamicAdvancedSession
	shapes map[[3]int]*ortShape
	bound  *ortShape
}

type ortShape struct {
	in      []float32
	inputs  []ort.Value
	outputs []ort.Value // nil until the first pass has shown their shapes
	tensors []tensor
	binding *ort.IoBinding // of all of them: a pass then leaves nothing behind for Go to collect
	loose   bool           // each picture has outputs of its own shape: networks that suppress boxes themselves
}

func (s *ortSession) bind(n, h, w int) ([]float32, error) {
	key := [3]int{n, h, w}
	if b, ok := s.shapes[key]; ok {
		s.bound = b
		return b.in, nil
	}
	dims := s.engine.file.shape4(n, h, w)
	values, kept := dims[0]*dims[1]*dims[2]*dims[3], 0
	for _, b := range s.shapes {
		kept += len(b.in)
	}
	if len(s.shapes) >= maxShapes || kept+values > maxTensor {
		s.freeShapes()
	}
	in, err := floats(values)
	if err != nil {
		return nil, err
	}
	value, err := ort.NewTensor(ort.NewShape(int64(dims[0]), int64(dims[1]), int64(dims[2]), int64(dims[3])), in)
	if err != nil {
		freeFloats(in)
		return nil, fmt.Errorf("ONNX Runtime: input of %v: %w", dims, err)
	}
	s.bound = &ortShape{in: in, inputs: []ort.Value{value}}
	s.shapes[key] = s.bound
	return in, nil
}

func (s *ortSession) forward() ([]tensor, error) {
	switch b := s.bound; {
	case b.loose:
		return s.untied(b)
	case b.outputs == nil:
		return s.learn(b)
	}
	if err := s.run.RunWithBinding(s.bound.binding); err != nil {
		if tensors, again := s.untied(s.bound); again == nil { // it may give another number of boxes for each picture
			s.untie(s.bound)
			return tensors, nil
		}
		return nil, fmt.Errorf("ONNX Runtime running %s: %s", s.engine.file.model.Name, oneLine(err.Error()))
	}
	return s.bound.tensors, nil
}

// tie binds a shape's input and outputs to the network's.
func (s *ortSession) tie(b *ortShape, outputs []ort.Value) (*ort.IoBinding, error) {
	binding, err := s.run.CreateIoBinding()
	if err != nil {
		return nil, err
	}
	err = binding.BindInput(s.engine.file.inputs, b.inputs[0])
	for i, o := range outputs {
		err = errors.Join(err, binding.BindOutput(s.engine.file.outputs[i], o))
	}
	if err != nil {
		binding.Destroy()
		return nil, err
	}
	return binding, nil
}

// untied runs with outputs that the library allocates each time.
func (s *ortSession) untied(b *ortShape) ([]tensor, error) {
	found := make([]ort.Value, len(s.engine.file.outputs))
	err := s.run.Run(b.inputs, found)
	defer destroy(found)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime running %s: %s", s.engine.file.model.Name, oneLine(err.Error()))
	}
	tensors := make([]tensor, len(found))
	for i, v := range found {
		t, ok := v.(*ort.Tensor[float32])
		if !ok {
			return nil, fmt.Errorf("ONNX Runtime running %s: output %s: %w", s.engine.file.model.Name, s.engine.file.outputs[i], errNotFloats)
		}
		tensors[i] = tensor{name: onnx.Plain(s.engine.file.outputs[i]), shape: dimensions(v), data: t.GetData()}
	}
	return tensors, nil
}

var errNotFloats = errors.New("is not a tensor of float32; export it as float32")

// untie gives up the outputs that a shape was bound to.
func (s *ortSession) untie(b *ortShape) {
	b.binding.Destroy()
	freeOutputs(b.outputs, b.tensors)
	b.binding, b.outputs, b.tensors, b.loose = nil, nil, nil, true
}

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}

func dimensions(v ort.Value) (shape []int) {
	for _, d := range v.GetShape() {
		shape = append(shape, int(d))
	}
	return shape
}

// learn runs with outputs that the library allocates, and makes our own of the same shapes for the
// passes to come.
func (s *ortSession) learn(b *ortShape) ([]tensor, error) {
	found := make([]ort.Value, len(s.engine.file.outputs))
	err := s.run.Run(b.inputs, found)
	defer destroy(found)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime running %s: %s", s.engine.file.model.Name, oneLine(err.Error()))
	}
	var outputs []ort.Value
	var tensors []tensor
	fail := func(err error) ([]tensor, error) {
		freeOutputs(outputs, tensors)
		return nil, fmt.Errorf("ONNX Runtime running %s: output %s: %w", s.engine.file.model.Name, s.engine.file.outputs[len(outputs)], err)
	}
	for i, v := range found {
		first, ok := v.(*ort.Tensor[float32])
		if !ok {
			return fail(errNotFloats)
		}
		shape := v.GetShape()
		if shape.FlattenedSize() == 0 { // nothing to bind, and the next picture may have something
			freeOutputs(outputs, tensors)
			b.loose = true
			return s.untied(b)
		}
		data, err := floats(int(shape.FlattenedSize()))
		if err != nil {
			return fail(err)
		}
		copy(data, first.GetData())
		value, err := ort.NewTensor(shape, data)
		if err != nil {
			freeFloats(data)
			return fail(err)
		}
		t := tensor{name: onnx.Plain(s.engine.file.outputs[i]), shape: dimensions(v), data: data}
		outputs, tensors = append(outputs, value), append(tensors, t)
	}
	binding, err := s.tie(b, outputs)
	if err != nil {
		freeOutputs(outputs, tensors)
		return nil, fmt.Errorf("ONNX Runtime binding the tensors of %s: %w", s.engine.file.model.Name, err)
	}
	b.outputs, b.tensors, b.binding = outputs, tensors, binding
	return tensors, nil
}

func freeOutputs(values []ort.Value, tensors []tensor) {
	for i, v := range values {
		v.Destroy()
		freeFloats(tensors[i].data)
	}
}

func (s *ortSession) freeShapes() {
	for _, b := range s.shapes {
		if b.binding != nil {
			b.binding.Destroy()
		}
		b.inputs[0].Destroy()
		freeFloats(b.in)
		freeOutputs(b.outputs, b.tensors)
	}
	clear(s.shapes)
}

func (s *ortSession) close() {
	s.freeShapes()
	if s.own != nil {
		s.own.Destroy()
	}
}
