// Package fft transforms many rows or columns of a matrix of complex64 at once, and multiplies rows by quadratic
// phases, which is what focusing radar echoes consists of.
//
//	rows or columns ─▶ 16 side by side ─▶ n2 transforms of n1 points ─▶ n1 of n2 points ─▶ the same place
//
// Sixteen transforms go side by side through Stockham's passes of radix 2, 3, 4, 5 and 8 (Van Loan, Computational
// Frameworks for the Fast Fourier Transform, 1992), real parts and imaginary ones apart, so that a vector of the
// processor holds one part of one point of all of them. A transform is split in two (Bailey, FFTs in external or
// hierarchical memory, 1990), each small enough for the first-level cache. The same C is compiled for AVX-512, AVX2 and
// what every processor has (SSE2, NEON); products and sums are not contracted, so that each of these gives the same
// bits, and so does any number of threads and any number of rows at once.
package fft

/*
#cgo CFLAGS: -O3
#cgo noescape canvas_fft_rows
#cgo nocallback canvas_fft_rows
#cgo noescape canvas_fft_columns
#cgo nocallback canvas_fft_columns
#cgo noescape canvas_fft_through
#cgo nocallback canvas_fft_through
#cgo noescape canvas_fft_rotate
#cgo nocallback canvas_fft_rotate
#include <stdlib.h>
#include "fft.h"
*/
import "C"

import (
	"fmt"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	lanes    = C.LANES
	strips   = C.STRIPS
	shortest = 16
	longest  = 1 << 20 // a workspace of 256 MiB a thread
)

// kernels are those that suit this processor best. Tests exchange them.
var kernels = chosen("")

// chosen returns the kernels of a name, nil where this processor can't run them; the best ones where name is empty.
func chosen(name string) *C.canvas_fft_kernels {
	if name == "" {
		return C.canvas_fft_choose(nil)
	}
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return C.canvas_fft_choose(text)
}

// Plan holds the tables for transforms of one length. It may be used by any number of goroutines.
type Plan struct {
	n, first, second int
	tables           *C.canvas_fft_plan
	rooms            sync.Pool // workspaces
}

// Good returns the smallest length of at least n that NewPlan takes, or 0 where n is more than the longest of these,
// 1,048,576.
func Good(n int) int {
	if n > longest {
		return 0
	}
	for m := max(shortest, (n+15)&^15); ; m += 16 { // the longest is one
		if smooth(m) {
			return m
		}
	}
}

// smooth says whether n has no other prime factors than 2, 3 and 5.
func smooth(n int) bool {
	n >>= bits.TrailingZeros(uint(n))
	for n%3 == 0 {
		n /= 3
	}
	for n%5 == 0 {
		n /= 5
	}
	return n == 1
}

// NewPlan makes a plan for transforms of n points: 16 to 1,048,576, a multiple of 16 whose other prime factors are 2,
// 3 and 5. Good finds such a length.
func NewPlan(n int) (*Plan, error) {
	if n < shortest || n > longest || n%16 != 0 || !smooth(n) {
		hint := ""
		if next := Good(n); next > 0 {
			hint = fmt.Sprintf("; the next one is %d", next)
		}
		return nil, fmt.Errorf("fft: no transform of %d points: the length must be a multiple of 16 from %d to %d without prime factors above 5%s", n, shortest, longest, hint)
	}
	first := split(n)
	p := &Plan{n: n, first: first, second: n / first}
	p.tables = C.canvas_fft_new(C.int(n), C.int(first))
	if p.tables == nil {
		return nil, fmt.Errorf("fft: no memory for the tables of %d points", n)
	}
	size := int(C.canvas_fft_work(p.tables))
	p.rooms.New = func() any {
		room := make([]byte, size+64)
		return &room
	}
	runtime.AddCleanup(p, func(tables *C.canvas_fft_plan) { C.canvas_fft_free(tables) }, p.tables)
	return p, nil
}

// split finds the points of the first small transforms: those of the second are a multiple of 16, and not many more.
func split(n int) int {
	if n <= 64 {
		return 1
	}
	best := 1
	for first := 1; first*first <= n; first++ {
		// Runs of eight bins can be written from eight rows of the workspace, so multiples of eight are preferred.
		if n/16%first == 0 && (first%8 == 0 || best%8 != 0) {
			best = first
		}
	}
	return best
}

// Len is the number of points of a transform.
func (p *Plan) Len() int { return p.n }

// Rows transforms rows of Len contiguous samples in place, which start `stride` samples after each other, on as many
// threads as are given (one, if fewer). The inverse transform is scaled by 1/Len. The bits do not depend on the number
// of rows or threads. It panics where data is too short for the rows, as indexing does.
func (p *Plan) Rows(data []complex64, stride, rows int, inverse bool, threads int) {
	if !fits("Rows", len(data), stride, rows, p.n) {
		return
	}
	p.share(rows, lanes, threads, func(at, count int, room unsafe.Pointer) {
		C.canvas_fft_rows(kernels, p.tables, unsafe.Pointer(&data[at*stride]), C.long(stride), C.int(count), flag(inverse), room)
	})
	runtime.KeepAlive(p)
}

// Columns transforms columns of Len samples in place: column c is data[c], data[c+stride] and so on. All else is as
// for Rows.
func (p *Plan) Columns(data []complex64, stride, cols int, inverse bool, threads int) {
	if !fits("Columns", len(data), stride, p.n, cols) {
		return
	}
	p.share(cols, lanes*strips, threads, func(at, count int, room unsafe.Pointer) {
		C.canvas_fft_columns(kernels, p.tables, unsafe.Pointer(&data[at]), C.long(stride), C.int(count), flag(inverse), room)
	})
	runtime.KeepAlive(p)
}

// Through transforms rows and back, and multiplies them on the way, each sixteen of them within the cache:
//
//	row *= before[r]; transform; row *= middle[r] · window; inverse transform, scaled by 1/Len; row *= after[r]
//
// Phases are indexed by row, and nil where there is nothing to multiply by; so is window, which has a factor for each
// bin in the order of the transform. The index n of middle[r] is the bin k for k < split, and k - Len from there on.
// All else is as for Rows.
func (p *Plan) Through(data []complex64, stride, rows int, before, middle, after []Phase, window []float32, split int, threads int) {
	if !fits("Through", len(data), stride, rows, p.n) {
		return
	}
	for name, phases := range map[string][]Phase{"before": before, "middle": middle, "after": after} {
		if phases != nil && len(phases) < rows {
			panic(fmt.Sprintf("fft: Through: %s has %d phases for %d rows", name, len(phases), rows))
		}
	}
	if window != nil && len(window) != p.n {
		panic(fmt.Sprintf("fft: Through: the window has %d factors for %d bins", len(window), p.n))
	}
	if split < 0 || split > p.n {
		panic(fmt.Sprintf("fft: Through: split at bin %d of %d", split, p.n))
	}
	var factors unsafe.Pointer
	if window != nil {
		grid := make([]float32, p.n) // in the order of the workspace's rows
		for k, w := range window {
			grid[k%p.first*p.second+k/p.first] = w
		}
		factors = unsafe.Pointer(&grid[0])
	}
	p.share(rows, lanes, threads, func(at, count int, room unsafe.Pointer) {
		C.canvas_fft_through(kernels, p.tables, unsafe.Pointer(&data[at*stride]), C.long(stride), C.int(count),
			from(before, at), from(middle, at), from(after, at), factors, C.int(split), room)
	})
	runtime.KeepAlive(p)
}

// fits says whether there is anything to do, and panics where `rows` rows of `length` samples do not lie in data.
func fits(what string, have, stride, rows, length int) bool {
	if rows < 0 || length < 0 {
		panic(fmt.Sprintf("fft: %s: %d x %d samples", what, rows, length))
	}
	if rows == 0 || length == 0 {
		return false
	}
	if stride < length {
		panic(fmt.Sprintf("fft: %s: rows of %d samples overlap, a stride of %d lies between them", what, length, stride))
	}
	if high, need := bits.Mul64(uint64(rows-1), uint64(stride)); high != 0 || need > uint64(have) || uint64(length) > uint64(have)-need {
		panic(fmt.Sprintf("fft: %s: %d rows of %d samples with a stride of %d do not lie in %d samples", what, rows, length, stride, have))
	}
	return true
}

// share does the work in batches of rows or columns on some threads.
func (p *Plan) share(rows, batch, threads int, do func(at, count int, room unsafe.Pointer)) {
	var next atomic.Int64
	work := func() {
		room := p.rooms.Get().(*[]byte)
		start := unsafe.Pointer(&(*room)[-uintptr(unsafe.Pointer(&(*room)[0]))&63])
		for {
			at := int(next.Add(int64(batch))) - batch
			if at >= rows {
				break
			}
			do(at, min(batch, rows-at), start)
		}
		p.rooms.Put(room)
	}
	var group sync.WaitGroup
	for range min(threads, (rows-1)/batch+1) - 1 {
		group.Go(work)
	}
	work()
	group.Wait()
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
