// Package gpu focuses a block of radar echoes on a CUDA device: transforms by cuFFT, phases by a kernel that NVRTC
// compiles for the device that is there. All libraries are opened at run time.
//
//	upload ─▶ columns ─▶ phase ─▶ rows ─▶ phase · window ─▶ rows back ─▶ phase · factors ─▶ columns back ─▶ download
//
// Its numbers differ from the CPU's in their last bits; who uses it compares the two first (see sar.OpenEngine). Tests
// run it against libraries that compute on the CPU. It has not run on a GPU yet: none was at hand; `make gpu` checks
// and measures it where there is one.
package gpu

/*
#cgo CFLAGS: -O2
#cgo LDFLAGS: -ldl
#cgo noescape canvas_gpu_focus
#cgo nocallback canvas_gpu_focus
#include <stdlib.h>
#include "gpu.h"
*/
import "C"

import (
	_ "embed"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"cloudcanvas/shared/fft"
)

//go:embed phase.cu
var source string

// sets are the libraries of a CUDA Toolkit, the older one first: it goes with more drivers.
var sets = []struct {
	toolkit, cufft, nvrtc string
	major                 int // of cuFFT
}{
	{"CUDA 12", "libcufft.so.11", "libnvrtc.so.12", 11},
	{"CUDA 13", "libcufft.so.12", "libnvrtc.so.13", 12},
}

const driver = "libcuda.so.1"

// ErrUnavailable is wrapped by what says why nothing can be focused on a GPU here.
var ErrUnavailable = errors.New("no GPU for focusing here")

// Device is the first CUDA device. It may be used by any number of goroutines, which take turns.
type Device struct {
	mu sync.Mutex
	c  *C.canvas_gpu
}

// Open finds the libraries, in dir or where the system looks for them, and makes the device ready.
func Open(dir string) (*Device, error) {
	text := C.CString(source)
	defer C.free(unsafe.Pointer(text))
	var reasons []string
	for _, s := range sets {
		c, err := open(dir, s.cufft, s.nvrtc, s.major, text)
		if err == nil {
			return &Device{c: c}, nil
		}
		if reason := s.toolkit + ": " + err.Error(); len(reasons) == 0 || !strings.HasSuffix(reasons[0], ": "+err.Error()) {
			reasons = append(reasons, reason)
		}
	}
	return nil, fmt.Errorf("%w, because of %s", ErrUnavailable, strings.Join(reasons, "; "))
}

func open(dir, cufft, nvrtc string, major int, source *C.char) (*C.canvas_gpu, error) {
	var paths [3]*C.char
	for i, name := range []string{driver, cufft, nvrtc} {
		if dir != "" {
			name = filepath.Join(dir, name)
		}
		paths[i] = C.CString(name)
		defer C.free(unsafe.Pointer(paths[i]))
	}
	var words [C.GPU_WORDS]C.char
	c := C.canvas_gpu_open(paths[0], paths[1], paths[2], C.int(major), source, &words[0])
	if c == nil {
		return nil, said(&words)
	}
	return c, nil
}

// Close frees what the device has of this process. It must not be used afterwards.
func (d *Device) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	C.canvas_gpu_close(d.c)
	d.c = nil
}

// String says what the device is.
func (d *Device) String() string {
	return fmt.Sprintf("%s (compute capability %d.%d) with cuFFT %d.%d.%d", C.GoString(&d.c.name[0]), d.c.major, d.c.minor,
		d.c.version/1000, d.c.version/100%10, d.c.version%100)
}

// Block is what is done to a block of lines: its columns are transformed, each row goes through fft.Plan.Through, rows
// are multiplied by their factors, and columns are transformed back.
type Block struct {
	Data                  []complex64 // rows of Width samples
	Width, Rows           int
	Columns               int // that are transformed, of the width
	Before, Middle, After []fft.Phase
	Split                 int       // as in fft.Plan.Through
	Window                []float32 // of the bins of a row; nil: all are 1
	Factors               []float32 // of rows
}

// check bounds what the device is asked for.
func (b *Block) check() error {
	switch {
	case b.Width < 1 || b.Rows < 1 || b.Columns < 1 || b.Columns > b.Width || b.Split < 0 || b.Split > b.Width:
		return fmt.Errorf("gpu: %d rows of %d samples, %d columns of them, split at %d", b.Rows, b.Width, b.Columns, b.Split)
	case b.Width > math.MaxInt32/b.Rows:
		return fmt.Errorf("gpu: %d rows of %d samples are more than cuFFT counts in 32 bits", b.Rows, b.Width)
	case len(b.Data) != b.Width*b.Rows || len(b.Before) != b.Rows || len(b.Middle) != b.Rows || len(b.After) != b.Rows || len(b.Factors) != b.Rows || b.Window != nil && len(b.Window) != b.Width:
		return fmt.Errorf("gpu: %d rows of %d have %d samples, %d, %d and %d phases, %d factors, and a window of %d", b.Rows, b.Width, len(b.Data), len(b.Before), len(b.Middle), len(b.After), len(b.Factors), len(b.Window))
	}
	return nil
}

// Focus does what Block says, in place. Where it gives an error the data may have been changed.
func (d *Device) Focus(b Block) error {
	if err := b.check(); err != nil {
		return err
	}
	factors, scale := make([]float32, b.Rows), 1/(float64(b.Width)*float64(b.Rows))
	for i, f := range b.Factors {
		factors[i] = float32(float64(f) * scale)
	}
	before, middle, after := turns(b.Before), turns(b.Middle), turns(b.After)
	var window *C.float
	if b.Window != nil {
		window = (*C.float)(&b.Window[0])
	}
	var words [C.GPU_WORDS]C.char
	d.mu.Lock()
	defer d.mu.Unlock()
	bad := C.canvas_gpu_focus(d.c, unsafe.Pointer(&b.Data[0]), C.int(b.Width), C.int(b.Rows), C.int(b.Columns), &before[0], &middle[0], &after[0],
		C.int(b.Split), window, (*C.float)(&factors[0]), &words[0])
	runtime.KeepAlive(b)
	if bad != 0 {
		return fmt.Errorf("gpu: %w", said(&words))
	}
	return nil
}

// turns are phases as the kernel reads them. Indices are whole numbers, so whole turns may be taken off each
// coefficient by itself.
func turns(phases []fft.Phase) []C.double {
	out := make([]C.double, 0, 3*len(phases))
	for _, p := range phases {
		for _, v := range [...]float64{p.A, p.B, p.C} {
			out = append(out, C.double(v-math.RoundToEven(v)))
		}
	}
	return out
}

func said(words *[C.GPU_WORDS]C.char) error {
	return errors.New(strings.TrimSpace(strings.ReplaceAll(C.GoString(&words[0]), "\n", " ")))
}
