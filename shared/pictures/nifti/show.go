package nifti

import (
	"context"
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/vision"
)

// What is shown of the values where the file does not say it.
const lowest, highest = 0.02, 0.98

// mostSampled bounds the values that these are taken of, evenly from all.
const mostSampled = 1 << 20

// Bytes is the memory that showing a slice takes.
func (f *File) Bytes() int64 { return int64(f.W)*int64(f.H)*int64(f.size+3) + 8*mostSampled }

// Slice shows one in 8 bits: a row is along the first axis, and rows follow the second, as they are stored.
func (f *File) Slice(ctx context.Context, i int) (im vision.Image, notes vision.Notes, err error) {
	if i < 0 || i >= f.Slices {
		return im, notes, fmt.Errorf("it has no slice %d", i+1)
	}
	coloured := f.kind == rgb24 || f.kind == rgba32
	if !coloured {
		if notes.Assumed, err = f.span(ctx); err != nil {
			return im, notes, err
		}
	}
	raw, err := f.slice(i)
	if err != nil {
		return im, notes, err
	}
	im = vision.Image{W: f.W, H: f.H, Pix: make([]byte, f.W*f.H*3)}
	if coloured {
		for k := range f.W * f.H {
			v := raw[k*f.size:]
			im.Pix[3*k], im.Pix[3*k+1], im.Pix[3*k+2] = v[2], v[1], v[0]
		}
		return im, notes, nil
	}
	low, high := f.shown[0], f.shown[1]
	for k := range f.W * f.H {
		b := byte(0)
		switch v := f.value(raw[k*f.size:]); {
		case math.IsNaN(v) || v <= low:
		case v >= high:
			b = 255
		default:
			b = byte((v-low)/(high-low)*255 + 0.5)
		}
		im.Pix[3*k], im.Pix[3*k+1], im.Pix[3*k+2] = b, b, b
	}
	return im, notes, nil
}

// value is a voxel's, scaled.
func (f *File) value(raw []byte) float64 {
	var v float64
	switch f.kind {
	case 2:
		v = float64(raw[0])
	case 256:
		v = float64(int8(raw[0]))
	case 4:
		v = float64(int16(f.order.Uint16(raw)))
	case 512:
		v = float64(f.order.Uint16(raw))
	case 8:
		v = float64(int32(f.order.Uint32(raw)))
	case 768:
		v = float64(f.order.Uint32(raw))
	case 16:
		v = float64(math.Float32frombits(f.order.Uint32(raw)))
	case 64:
		v = math.Float64frombits(f.order.Uint64(raw))
	case 1024:
		v = float64(int64(f.order.Uint64(raw)))
	case 1280:
		v = float64(f.order.Uint64(raw))
	}
	return v*f.slope + f.inter
}

// span finds what is shown as black and as white, once, and says what it assumed.
func (f *File) span(ctx context.Context) (assumed string, err error) {
	if finite(f.low) && finite(f.high) && f.low < f.high {
		f.shown = &[2]float64{f.low, f.high}
		return "its values from cal_min to cal_max are shown", nil
	}
	const said = "its values from 2 % to 98 % of all are shown"
	if f.shown != nil {
		return said, nil
	}
	each := f.W * f.H
	step := (each*f.Slices + mostSampled - 1) / mostSampled
	var values []float64
	for i, at := 0, 0; i < f.Slices; i++ {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		raw, err := f.slice(i)
		if err != nil {
			return "", err
		}
		for ; at < each; at += step {
			if v := f.value(raw[at*f.size:]); finite(v) {
				values = append(values, v)
			}
		}
		at -= each
	}
	slices.Sort(values)
	f.shown = &[2]float64{0, 1}
	if len(values) > 0 {
		*f.shown = [2]float64{share(values, lowest), share(values, highest)}
		if f.shown[0] == f.shown[1] { // few voxels are anything: a mask
			*f.shown = [2]float64{values[0], values[len(values)-1]}
		}
		if f.shown[0] == f.shown[1] {
			f.shown[1]++
		}
	}
	return said, nil
}

// share is the value below which that share of sorted values lies, between neighbours in proportion.
func share(sorted []float64, s float64) float64 {
	at := s * float64(len(sorted)-1)
	k := int(at)
	if k+1 == len(sorted) {
		return sorted[k]
	}
	return sorted[k] + (sorted[k+1]-sorted[k])*(at-float64(k))
}
