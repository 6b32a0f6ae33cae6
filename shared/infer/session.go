package infer

import (
	"log/slog"

	"cloudcanvas/shared/model"
)

// engine is a network loaded into one native library. It makes sessions; close ends them all.
type engine interface {
	session() (session, error)
	device() string // where it computes, for people
	keep()          // spares the next start what this one worked out, where that is possible
	close()
}

// session is one copy that one goroutine runs.
type session interface {
	// bind gives the input tensor for n images of h x w. The memory is the library's own and stays
	// valid until close; what was in it for this shape is still there.
	bind(n, h, w int) ([]float32, error)
	// forward computes what was bound last. The tensors are valid until the next bind or forward.
	forward() ([]tensor, error)
	close()
}

// tensor is one output: dense float32, the first dimension the image in the batch.
type tensor struct {
	name  string
	shape []int
	data  []float32
}

// image is the part of the tensor that belongs to image i of n.
func (t tensor) image(i, n int) []float32 {
	each := len(t.data) / n
	return t.data[i*each : (i+1)*each]
}

// file is a model as the engines see it.
type file struct {
	model     model.Model
	data      []byte   // nil once the sessions are made
	sum       string   // of data, its sha256
	small     []byte   // the file with convolutions in 8 bits, once that was asked for; nil like data
	inputs    string   // the input's name
	outputs   []string // in the decoder's order
	task      string   // that the file says it is for, as Ultralytics names them; empty: it does not say
	log       *slog.Logger
	batch     int  // images in each pass, where the file fixes more than one; else 1
	quantised bool // it computes in 8 bits itself: exported so, or quantised afterwards
	known     bool // its sha256 is one of the project's, which every engine has read, and so is what it is given
}

// shape4 is the input's shape in the network's layout.
func (f *file) shape4(n, h, w int) [4]int {
	c := f.model.Input.Channels()
	if f.model.Input.Layout == "nhwc" {
		return [4]int{n, h, w, c}
	}
	return [4]int{n, c, h, w}
}

// maxShapes bounds how many input shapes a session keeps memory for; a network with free sizes that
// sees more of them starts over.
const maxShapes = 16

// maxTensor bounds one input in values, 1 GiB of them, and what a session keeps of all its shapes.
const maxTensor = 1 << 28

// inputs is a session's memory for each input shape it has seen, where the library has none of its own.
type inputs struct {
	file  *file
	of    map[[3]int][]float32
	bound [3]int
}

func (s *inputs) bind(n, h, w int) ([]float32, error) {
	s.bound = [3]int{n, h, w}
	if in, ok := s.of[s.bound]; ok {
		return in, nil
	}
	values, kept := n*h*w*s.file.model.Input.Channels(), 0
	for _, in := range s.of {
		kept += len(in)
	}
	if len(s.of) >= maxShapes || kept+values > maxTensor {
		s.free()
	}
	in, err := floats(values)
	if err != nil {
		return nil, err
	}
	if s.of == nil {
		s.of = map[[3]int][]float32{}
	}
	s.of[s.bound] = in
	return in, nil
}

func (s *inputs) free() {
	for _, in := range s.of {
		freeFloats(in)
	}
	clear(s.of)
}
