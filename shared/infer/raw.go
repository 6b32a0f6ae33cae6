package infer

import (
	"context"
	"fmt"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// Tensor is one output of a network as it came out of the engine.
type Tensor struct {
	Name  string
	Shape []int // the first is the batch
	Data  []float32
}

// Raw runs a model without decoding what it gives: for measuring and learning, one image at a time.
// It belongs to one goroutine.
type Raw struct {
	plan    *plan
	engine  engine
	session session
	scratch []byte
	out     []Tensor
}

// OpenRaw loads m in ONNX Runtime on so many threads. The outputs are the file's, whatever decoder
// the manifest names.
func OpenRaw(m model.Model, threads int, runtime string) (*Raw, error) {
	m.Output.Tensors = nil
	f, err := readFile(m)
	if err != nil {
		return nil, err
	}
	l := Layout{Sessions: 1, Threads: max(threads, 1), Runtime: runtime}
	if err := f.tryAlone(context.Background(), ORTCPU, l); err != nil { // it ends by its own bounds
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	e, err := openORT(f, specOf(ORTCPU), l)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	s, err := e.session()
	if err != nil {
		e.close()
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	return &Raw{plan: newPlan(m.Input), engine: e, session: s}, nil
}

// Image runs the network on a picture. What it gives is valid until the next call.
func (r *Raw) Image(im vision.Image) ([]Tensor, error) {
	g, err := r.plan.fit(&im)
	if err != nil {
		return nil, err
	}
	input, err := r.session.bind(1, g.h, g.w)
	if err != nil {
		return nil, err
	}
	if need := g.scratch(); len(r.scratch) < need {
		r.scratch = make([]byte, need)
	}
	if err := r.plan.write(&im, g, r.scratch, input); err != nil {
		return nil, err
	}
	return r.forward()
}

// Golden runs the network on the input of a golden case.
func (r *Raw) Golden(in model.GoldenInput) ([]Tensor, error) {
	input, err := r.session.bind(in.Shape[0], in.Shape[2], in.Shape[3])
	if err != nil {
		return nil, err
	}
	in.Fill(input)
	return r.forward()
}

func (r *Raw) forward() ([]Tensor, error) {
	tensors, err := r.session.forward()
	r.out = r.out[:0]
	for _, t := range tensors {
		r.out = append(r.out, Tensor{t.name, t.shape, t.data})
	}
	return r.out, err
}

// Close frees the native memory.
func (r *Raw) Close() {
	r.session.close()
	r.engine.close()
}
