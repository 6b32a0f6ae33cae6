package infer

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"gocv.io/x/gocv"
)

// opencv is the process's one OpenCV. GoCV tells a failed call through one global, so a call and
// the question whether it failed belong under one lock; and OpenCV has one thread pool for all.
var opencv struct {
	sync.Mutex
	threads map[*opencvEngine]int
}

// alone makes GoCV calls whose only sign of failure is the global. f must look at nothing of what it
// made once alone says that it failed: a net that did not load is a nil handle.
func alone(f func()) error {
	opencv.Lock()
	defer opencv.Unlock()
	gocv.ClearLastException()
	f()
	if err := gocv.LastExceptionError(); err != nil {
		gocv.ClearLastException()
		return errors.New(oneLine(err.Error()))
	}
	return nil
}

// poolFor makes OpenCV's pool as large as the largest network on it wants, and one thread where none
// does: then it is only used to resize pictures, beside sessions that already fill the cores.
func poolFor(e *opencvEngine, threads int) {
	opencv.Lock()
	defer opencv.Unlock()
	if opencv.threads == nil {
		opencv.threads = map[*opencvEngine]int{}
	}
	delete(opencv.threads, e)
	if threads > 0 {
		opencv.threads[e] = threads
	}
	most := 1
	for _, n := range opencv.threads {
		most = max(most, n)
	}
	gocv.SetNumThreads(most)
}

// opencvEngine runs a network in OpenCV's DNN module.
type opencvEngine struct {
	file    *file
	backend gocv.NetBackendType
	target  gocv.NetTargetType
	where   string
}

func openOpenCV(f *file, s *spec, l Layout) (engine, error) {
	quiet()
	e := &opencvEngine{file: f, backend: gocv.NetBackendOpenCV, target: gocv.NetTargetCPU, where: cpuName()}
	if s.gpu {
		device, ok := cudaDevice()
		if !ok {
			return nil, fmt.Errorf("%w: %s", ErrUnavailable, device)
		}
		e.backend, e.target, e.where = gocv.NetBackendCUDA, gocv.NetTargetCUDA, device
		if s.half {
			e.target = gocv.NetTargetCUDAFP16
		}
	}
	if !f.known {
		in := f.model.Input
		h, w := in.MultipleOf, in.MultipleOf
		if len(in.Size) == 2 {
			w, h = in.Size[0], in.Size[1]
		}
		if err := probe(f.data, f.shape4(max(f.batch, 1), h, w)); err != nil {
			return nil, fmt.Errorf("OpenCV cannot run %s: %w", f.model.Path, err)
		}
	}
	poolFor(e, l.Threads)
	return e, nil
}

func (e *opencvEngine) device() string { return e.where }

func (e *opencvEngine) keep() {} // it reads a network in no time

func (e *opencvEngine) session() (session, error) {
	var net gocv.Net
	var readErr error
	err := alone(func() {
		if net, readErr = gocv.ReadNetFromONNXBytes(e.file.data); readErr == nil && handle(&net) != nil {
			net.SetPreferableBackend(e.backend)
			net.SetPreferableTarget(e.target)
		}
	})
	if err = errors.Join(readErr, err); err == nil && handle(&net) == nil {
		err = errors.New("no network came out of it")
	}
	if err != nil {
		if handle(&net) != nil {
			net.Close()
		}
		return nil, fmt.Errorf("OpenCV reading %s: %w", e.file.model.Path, err)
	}
	s := &opencvSession{inputs: inputs{file: e.file}, net: net, native: newNative(e.file.outputs)}
	return s, nil
}

func (e *opencvEngine) close() {
	poolFor(e, 0)
}

// handle is GoCV's pointer to the cv::dnn::Net, its struct's only field. A test keeps watch over that.
func handle(net *gocv.Net) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(net)) }

type opencvSession struct {
	inputs
	net    gocv.Net
	native *native
}

func (s *opencvSession) forward() ([]tensor, error) {
	out, err := s.native.forward(handle(&s.net), s.of[s.bound], s.file.shape4(s.bound[0], s.bound[1], s.bound[2]))
	if err != nil {
		return nil, fmt.Errorf("OpenCV running %s: %w", s.file.model.Name, err)
	}
	return out, nil
}

func (s *opencvSession) close() {
	s.native.close()
	s.net.Close()
	s.free()
}

func cpuName() string {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		return fmt.Sprintf("CPU, %d cores", n)
	}
	return "CPU, 1 core"
}
