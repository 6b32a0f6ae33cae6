package fft

// #include "fft.h"
import "C"

import "unsafe"

// Phase is the factor exp(2πi(A + B n + C n²)) of the samples n = 0, 1 ... of a row: in turns, in double precision,
// of at most 2^50 turns anywhere. Its values are within -120 dB of the exact ones for some ten million turns, of which
// a double leaves a billionth.
type Phase struct{ A, B, C float64 }

// Rotate multiplies the samples of a row by the phase.
func Rotate(row []complex64, p Phase) {
	if len(row) > 0 {
		C.canvas_fft_rotate(kernels, unsafe.Pointer(&row[0]), C.long(len(row)), C.double(p.A), C.double(p.B), C.double(p.C))
	}
}

// from points to the phases of a batch that starts at a row.
func from(phases []Phase, at int) unsafe.Pointer {
	if phases == nil {
		return nil
	}
	return unsafe.Pointer(&phases[at])
}
