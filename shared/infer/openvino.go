package infer

/*
#cgo LDFLAGS: -ldl
#cgo noescape canvas_ov_forward
#cgo nocallback canvas_ov_forward
#include <stdlib.h>
#include "openvino.h"
#include "pixels.h"
*/
import "C"

import (
	"fmt"
	"path/filepath"
	"sync"
	"unsafe"
)

// openvino is the process's one OpenVINO, loaded on first use and kept until the process ends.
var openvino struct {
	sync.Mutex
	tried bool
	err   error

	opening sync.Mutex // one network is made at a time
}

// loadOV loads libopenvino_c.so.
func loadOV(dir string) error {
	openvino.Lock()
	defer openvino.Unlock()
	path := findOV(dir)
	if path == "" {
		return fmt.Errorf("%w: libopenvino_c.so is not here; set-up brings it for x86-64", ErrUnavailable)
	}
	if openvino.tried {
		return openvino.err
	}
	openvino.tried = true
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var say message
	if C.canvas_ov_load(name, say.ptr()) != 0 {
		openvino.err = fmt.Errorf("%w: %s does not load: %w", ErrUnavailable, path, say.error())
	}
	return openvino.err
}

// findOV looks for the library where loadORT looks for its own; empty: it is not here.
func findOV(dir string) string {
	for _, d := range libraryFolders(dir) {
		if path, err := filepath.EvalSymlinks(filepath.Join(d, "libopenvino_c.so")); err == nil {
			return path
		}
	}
	return ""
}

// versionOV is the library's version, which its file's name tells without loading it; ".": it is not here.
func versionOV(dir string) string { return filepath.Base(findOV(dir)) }

// ovEngine runs a network in OpenVINO, on threads of its own: as many streams of them as sessions.
type ovEngine struct {
	file  *file
	net   unsafe.Pointer
	kept  *keptFile
	bytes []float32 // native memory of what is kept, where that was loaded: the network goes on reading its weights there
}

func openOV(f *file, s *spec, l Layout) (engine, error) {
	if err := loadOV(l.Runtime); err != nil {
		return nil, err
	}
	e := &ovEngine{file: f, kept: f.keptAs(s, l)}
	openvino.opening.Lock()
	defer openvino.opening.Unlock()
	streams, threads := C.int(l.Sessions), C.int(l.Sessions*l.Threads)
	var say message
	if data := e.kept.read(); data != nil {
		bytes, err := floats(len(data)/4 + 1)
		if err != nil {
			return nil, err
		}
		at := unsafe.Pointer(&bytes[0])
		copy(unsafe.Slice((*byte)(at), len(data)), data)
		e.bytes, e.net = bytes, C.canvas_ov_import(at, C.size_t(len(data)), streams, threads, say.ptr())
	} else {
		data, err := f.data, error(nil)
		if s.int8 {
			data, err = f.inInt8()
		}
		if err != nil {
			return nil, err
		}
		var dims *C.int64_t
		if size := f.model.Input.Size; len(size) == 2 && f.model.Input.MultipleOf == 0 && l.MaxBatch == 1 {
			fixed := f.dims64(max(f.batch, 1), size[1], size[0])
			dims = &fixed[0]
		}
		e.net = C.canvas_ov_open(unsafe.Pointer(&data[0]), C.size_t(len(data)), dims, streams, threads, say.ptr())
	}
	if e.net == nil {
		freeFloats(e.bytes)
		return nil, fmt.Errorf("OpenVINO reading %s: %s", f.model.Path, oneLine(say.error().Error()))
	}
	return e, nil
}

// dims64 is shape4 as OpenVINO takes it.
func (f *file) dims64(n, h, w int) (dims [4]C.int64_t) {
	for i, d := range f.shape4(n, h, w) {
		dims[i] = C.int64_t(d)
	}
	return dims
}

func (e *ovEngine) device() string { return cpuName() }

func (e *ovEngine) keep() {
	if e.bytes != nil { // it came from there
		return
	}
	e.kept.write(func(path string) error {
		to := C.CString(path)
		defer C.free(unsafe.Pointer(to))
		var say message
		if C.canvas_ov_export(e.net, to, say.ptr()) != 0 {
			return say.error()
		}
		return nil
	})
}

func (e *ovEngine) close() {
	C.canvas_ov_close(e.net)
	freeFloats(e.bytes)
}

func (e *ovEngine) session() (session, error) {
	var say message
	request := C.canvas_ov_request(e.net, say.ptr())
	if request == nil {
		return nil, fmt.Errorf("OpenVINO on %s: %w", e.file.model.Path, say.error())
	}
	return &ovSession{inputs: inputs{file: e.file}, outputs: newOutputs(e.file.outputs), request: request}, nil
}

// ovSession is a request: one goroutine's.
type ovSession struct {
	inputs
	outputs
	request unsafe.Pointer
	say     message
}

func (s *ovSession) forward() ([]tensor, error) {
	n, h, w := s.bound[0], s.bound[1], s.bound[2]
	dims := s.file.dims64(n, h, w)
	if C.canvas_ov_forward(s.request, (*C.float)(&s.of[s.bound][0]), &dims[0], &s.names[0], C.int(len(s.names)),
		&s.data[0], &s.outputs.dims[0], &s.ranks[0], s.say.ptr()) != 0 {
		return nil, fmt.Errorf("OpenVINO running %s: %s", s.file.model.Name, oneLine(s.say.error().Error()))
	}
	return s.read(), nil
}

func (s *ovSession) close() {
	C.canvas_ov_release(s.request)
	s.freeNames()
	s.free()
}
