package infer

/*
#include <stdlib.h>
*/
import "C"

import (
	"unsafe"

	"cloudcanvas/shared/onnx"
)

// outputs is where a native pass leaves what it found, and what Go makes of it: made once for a session.
type outputs struct {
	names []*C.char
	data  []*C.float
	ranks []C.int
	dims  []C.int // eight for each output
	outs  []tensor
}

func newOutputs(names []string) outputs {
	n := len(names)
	o := outputs{data: make([]*C.float, n), ranks: make([]C.int, n), dims: make([]C.int, 8*n), outs: make([]tensor, n)}
	for i, name := range names {
		o.names = append(o.names, C.CString(name))
		o.outs[i].name = onnx.Plain(name)
	}
	return o
}

// read gives the tensors of the pass that has just ended.
func (o *outputs) read() []tensor {
	for i := range o.outs {
		t, total := &o.outs[i], 1
		t.shape = t.shape[:0]
		for _, d := range o.dims[8*i : 8*i+int(o.ranks[i])] {
			total *= int(d)
			t.shape = append(t.shape, int(d))
		}
		t.data = unsafe.Slice((*float32)(o.data[i]), total)
	}
	return o.outs
}

func (o *outputs) freeNames() {
	for _, n := range o.names {
		C.free(unsafe.Pointer(n))
	}
	o.names = nil
}
