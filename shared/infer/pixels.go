package infer

/*
#cgo pkg-config: opencv4
#cgo CXXFLAGS: -std=c++17 -O3
#cgo noescape canvas_picture
#cgo nocallback canvas_picture
#include <stdlib.h>
#include "pixels.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"cloudcanvas/shared/vision"
)

// message holds what a native call says went wrong.
type message [C.canvas_err_len]C.char

func (m *message) ptr() *C.char { return &m[0] }

func (m *message) error() error {
	text := strings.TrimSpace(C.GoString(&m[0]))
	if text == "" {
		text = "no reason given"
	}
	return errors.New(strings.ReplaceAll(text, "\n", " "))
}

// quiet keeps OpenCV from writing to stderr what it also says as an error.
var quiet = sync.OnceFunc(func() { C.canvas_quiet() })

// floats is native memory for n values, aligned for vector units, zero at first.
func floats(n int) ([]float32, error) {
	if n < 1 || n > maxTensor {
		return nil, fmt.Errorf("%w: the network's input has %d values of 4 bytes, at most %d are taken; cut the picture into windows, or lower layout.max_batch", ErrImage, n, maxTensor)
	}
	p := C.canvas_alloc(C.size_t(n) * 4)
	if p == nil {
		return nil, fmt.Errorf("no memory for a tensor of %d values", n)
	}
	return unsafe.Slice((*float32)(p), n), nil
}

func freeFloats(s []float32) {
	if cap(s) > 0 {
		C.canvas_free(unsafe.Pointer(unsafe.SliceData(s)))
	}
}

// decode makes the picture of at most so many pixels that a JPEG or PNG holds.
func decode(data []byte, pixels int) (vision.Image, error) {
	quiet()
	im := vision.Image{Pix: make([]byte, pixels*3)}
	var w, h C.int
	var say message
	if C.canvas_decode((*C.uint8_t)(&data[0]), C.size_t(len(data)), (*C.uint8_t)(&im.Pix[0]), C.size_t(len(im.Pix)), &w, &h, say.ptr()) != 0 {
		return vision.Image{}, say.error()
	}
	im.W, im.H = int(w), int(h)
	im.Pix = im.Pix[:im.W*im.H*3]
	return im, nil
}

// decodeDeep is decode for pictures of any kind and of up to 16 bits; said is how many of these are told to
// count, and bits how many were taken to.
func decodeDeep(data []byte, pixels, said int) (im vision.Image, bits int, err error) {
	quiet()
	im = vision.Image{Pix: make([]byte, pixels*3)}
	var w, h, deep C.int
	var say message
	if C.canvas_decode_deep((*C.uint8_t)(&data[0]), C.size_t(len(data)), C.int(said), (*C.uint8_t)(&im.Pix[0]), C.size_t(len(im.Pix)), &w, &h, &deep, say.ptr()) != 0 {
		return vision.Image{}, 0, say.error()
	}
	im.W, im.H = int(w), int(h)
	im.Pix = im.Pix[:im.W*im.H*3]
	return im, int(deep), nil
}

// picture writes Pix into one image of the input tensor.
func picture(im *vision.Image, g geometry, p *plan, scratch []byte, dst []float32) error {
	fit := C.struct_canvas_fit{
		sw: C.int(im.W), sh: C.int(im.H), rw: C.int(g.rw), rh: C.int(g.rh), px: C.int(g.px), py: C.int(g.py),
		w: C.int(g.w), h: C.int(g.h), channels: C.int(p.channels), nhwc: C.int(p.nhwc),
	}
	for c := range min(p.channels, 3) {
		fit.channel[c] = C.int(p.order[c])
		fit.pad[c] = C.float(p.pad[c])
	}
	var say message
	if C.canvas_picture((*C.uint8_t)(&im.Pix[0]), &fit, (*C.float)(&p.table[0]), (*C.uint8_t)(&scratch[0]), (*C.float)(&dst[0]), say.ptr()) != 0 {
		failed := say // say itself stays off the heap
		return fmt.Errorf("resizing %dx%d to %dx%d: %w", im.W, im.H, g.rw, g.rh, failed.error())
	}
	return nil
}

// probe lets OpenCV read and run a file of unknown origin once where every C++ exception is caught;
// GoCV catches only OpenCV's own.
func probe(data []byte, shape [4]int) error {
	dims := [4]C.int{C.int(shape[0]), C.int(shape[1]), C.int(shape[2]), C.int(shape[3])}
	var say message
	if C.canvas_probe(unsafe.Pointer(&data[0]), C.size_t(len(data)), &dims[0], say.ptr()) != 0 {
		return say.error()
	}
	return nil
}

// cudaDevice is the name of the CUDA device that OpenCV's networks can run on, or the reason why not.
func cudaDevice() (name string, ok bool) {
	var say message
	ok = C.canvas_cuda(say.ptr()) == 1
	return strings.TrimSpace(C.GoString(say.ptr())), ok
}

func hasCUDA() bool {
	_, ok := cudaDevice()
	return ok
}

// cudaFree is the CUDA device's free memory in bytes, -1 where there is none.
func cudaFree() int64 { return int64(C.canvas_cuda_free()) }

// native runs a cv::dnn::Net that GoCV has loaded. GoCV's own ForwardLayers leaks its list of Mats
// and names with each call and tells its error through a global.
type native struct {
	outputs
	mats []unsafe.Pointer
}

func newNative(names []string) *native {
	return &native{outputs: newOutputs(names), mats: make([]unsafe.Pointer, len(names))}
}

func (f *native) forward(net unsafe.Pointer, input []float32, shape [4]int) ([]tensor, error) {
	f.release()
	dims := [4]C.int{C.int(shape[0]), C.int(shape[1]), C.int(shape[2]), C.int(shape[3])}
	var say message
	if C.canvas_forward(net, (*C.float)(&input[0]), &dims[0], &f.names[0], C.int(len(f.names)), &f.mats[0], &f.data[0], &f.ranks[0], &f.dims[0], say.ptr()) != 0 {
		return nil, say.error()
	}
	return f.read(), nil
}

func (f *native) release() {
	for i, m := range f.mats {
		if m != nil {
			C.canvas_mat_free(m)
			f.mats[i] = nil
		}
	}
}

func (f *native) close() {
	f.release()
	f.freeNames()
}

// people is OpenCV's HOG detector: boxes in pixels and the SVM's margin of each.
func people(im *vision.Image, hit, scale float64) ([]vision.Box, error) {
	const most = 256
	var boxes [most * 4]C.int
	var margins [most]C.double
	var say message
	n := C.canvas_people((*C.uint8_t)(&im.Pix[0]), C.int(im.W), C.int(im.H), C.double(hit), C.double(scale), &boxes[0], &margins[0], most, say.ptr())
	if n < 0 {
		return nil, fmt.Errorf("HOG people detector: %w", say.error())
	}
	found := make([]vision.Box, n)
	for i := range found {
		b := boxes[i*4:]
		found[i] = vision.Box{X: float32(b[0]), Y: float32(b[1]), W: float32(b[2]), H: float32(b[3]), Score: float32(margins[i])}
	}
	return found, nil
}
