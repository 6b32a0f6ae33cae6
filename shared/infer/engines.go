package infer

import (
	"fmt"

	"gocv.io/x/gocv"
)

// Engines, as configuration, reports and the names of remembered files have them.
const (
	Auto           = "auto" // every engine is tried, the fastest that agrees with the golden case runs
	OpenCVCPU      = "opencv-cpu"
	OpenCVCUDA     = "opencv-cuda"
	OpenCVCUDAFP16 = "opencv-cuda-fp16"
	ORTCPU         = "onnxruntime-cpu"
	ORTCUDA        = "onnxruntime-cuda"
	ORTInt8        = "onnxruntime-int8" // some convolutions in 8 bits, where the model has an int8.json
	OVCPU          = "openvino-cpu"     // on x86-64
	OVInt8         = "openvino-int8"
)

// spec is all that the package needs to know of an engine.
type spec struct {
	name      string
	library   *library
	load      func(f *file, s *spec, l Layout) (engine, error)
	device    func() bool                    // is its device here? nil: it is, where the library is
	kept      func(f *file, l Layout) string // what a file of it that is kept depends on; nil, or empty: nothing is kept
	gpu       bool
	half      bool // computes in 16-bit floats
	fallsBack bool // onto the CPU, without an error
	int8      bool // takes the file as int8.json has it
	exact8    bool // rounds as the file says where that computes in 8 bits itself
}

// specs are the engines, in the order in which auto tries them. A new engine is an entry here.
var specs = []spec{
	{name: OpenCVCUDAFP16, library: &openCV, load: openOpenCV, device: hasCUDA, gpu: true, half: true, fallsBack: true},
	{name: OpenCVCUDA, library: &openCV, load: openOpenCV, device: hasCUDA, gpu: true, fallsBack: true},
	{name: ORTCUDA, library: &onnxRuntime, load: openORT, gpu: true, exact8: true},
	{name: OVInt8, library: &openVINO, load: openOV, kept: keptByOV, int8: true},
	{name: OVCPU, library: &openVINO, load: openOV, kept: keptByOV},
	{name: ORTInt8, library: &onnxRuntime, load: openORT, kept: keptByORT, int8: true},
	{name: ORTCPU, library: &onnxRuntime, load: openORT, kept: keptByORT, exact8: true},
	{name: OpenCVCPU, library: &openCV, load: openOpenCV},
}

// library is what engines are made of. dir is Layout.Runtime.
type library struct {
	version func(dir string) string
	here    func(dir string) bool
}

var (
	openCV      = library{func(string) string { return gocv.OpenCVVersion() }, func(string) bool { return true }}
	onnxRuntime = library{versionORT, func(dir string) bool { return loadORT(dir) == nil }}
	openVINO    = library{versionOV, func(dir string) bool { return findOV(dir) != "" }}
)

// Engines lists what Open takes besides Auto, in the order in which auto tries them.
func Engines() []string {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.name
	}
	return names
}

// specOf is the engine of that name, or nil.
func specOf(name string) *spec {
	for i := range specs {
		if specs[i].name == name {
			return &specs[i]
		}
	}
	return nil
}

func onGPU(engine string) bool {
	s := specOf(engine)
	return s != nil && s.gpu
}

// here says whether an engine's library and device are on this machine; one that is not says so itself when it is opened.
func (f *file) here(engine string, l Layout) bool {
	s := specOf(engine)
	return s != nil && (!s.int8 || f.planned() == nil) && s.library.here(l.Runtime) && (s.device == nil || s.device())
}

// open loads the file into an engine.
func (f *file) open(name string, l Layout) (engine, error) {
	s := specOf(name)
	if s == nil {
		return nil, fmt.Errorf("%w: there is no engine %q", ErrUnavailable, name)
	}
	if s.int8 {
		if err := f.planned(); err != nil {
			return nil, err
		}
	}
	e, err := s.load(f, s, l)
	if err == nil && f.batch > 1 {
		e = filled{e, f.batch}
	}
	return e, err
}
