package sar

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"cloudcanvas/shared/fft"
)

// Focus makes the rows of a block of its lines: raw holds those of the lines that the acquisition has
// (Plan.Stored), as the file has them, gains a factor for each of them (nil: 1).
//
// A point of amplitude 1 becomes the response of its two sharp bands with the phase -4πR0/λ at its place. In
// azimuth the image's spectrum lies around the absolute centroid: who interpolates between rows has to do it there.
// Noise keeps its power.
func (p *Plan) Focus(ctx context.Context, b Block, raw []byte, gains []float32) (*Image, error) {
	return p.focus(b, raw, gains, func(f *focuser) error { return f.run(ctx) })
}

// focus is Focus with a choice of where the algorithm runs.
func (p *Plan) focus(b Block, raw []byte, gains []float32, run func(f *focuser) error) (*Image, error) {
	if err := p.fits(b, raw, gains); err != nil {
		return nil, err
	}
	f := p.focuser(b, takeBuffer())
	from, lines := p.Stored(b)
	if err := f.unpack(raw, gains, from-b.From, lines); err != nil {
		return nil, err
	}
	if err := run(f); err != nil {
		return nil, fmt.Errorf("focus block %d: %w", b.Index, err)
	}
	return f.image(), nil
}

// fits says whether a block is one of the plan's and the lines are those of the block.
func (p *Plan) fits(b Block, raw []byte, gains []float32) error {
	if b.Index < 0 || b.Index >= len(p.Blocks) || p.Blocks[b.Index] != b {
		return fmt.Errorf("block %d (lines %d to %d) is none of the plan's %d", b.Index, b.From, b.From+b.Lines-1, len(p.Blocks))
	}
	_, lines := p.Stored(b)
	if want := lines * p.Params.Samples * p.Params.Format.Bytes(); len(raw) != want {
		return fmt.Errorf("block %d has %d bytes of lines, must be %d: %d lines of %d samples in %s", b.Index, len(raw), want, lines, p.Params.Samples, p.Params.Format)
	}
	if gains != nil && len(gains) != lines {
		return fmt.Errorf("block %d has %d gains for %d lines", b.Index, len(gains), lines)
	}
	return nil
}

// focuser works on the lines of a block in place.
type focuser struct {
	plan  *Plan
	block Block
	g     geometry
	width int
	data  []complex64 // lines x width
	used  bool        // data is not zero: another block was there
}

// focuser takes buffer, whatever it holds, if that is large enough.
func (p *Plan) focuser(b Block, buffer []complex64) *focuser {
	f := &focuser{plan: p, block: b, g: p.Params.geometry(p.Centroid.Hz), width: p.width()}
	if n := b.Lines * f.width; cap(buffer) >= n {
		f.data, f.used = buffer[:n], true
	} else {
		collect(8 * n)
		f.data = make([]complex64, n)
	}
	return f
}

// unpack takes raw lines as numbers, after `skip` lines of zeros and before more of them.
func (f *focuser) unpack(raw []byte, gains []float32, skip, lines int) error {
	p := &f.plan.Params
	size := p.Samples * p.Format.Bytes()
	var bad atomic.Int64
	if f.used {
		clear(f.data[:skip*f.width])
		clear(f.data[(skip+lines)*f.width:])
	}
	each(lines, func(i int) {
		gain := float32(1)
		if gains != nil {
			gain = gains[i]
		}
		line := f.data[(skip+i)*f.width:][:p.Samples]
		if f.used {
			clear(f.data[(skip+i)*f.width:][p.Samples:f.width])
		}
		if !p.Format.unpack(line, raw[i*size:(i+1)*size], gain) {
			bad.Store(int64(i) + 1)
		}
	})
	if i := bad.Load(); i > 0 {
		from, _ := f.plan.Stored(f.block)
		return fmt.Errorf("focus block %d: data: line %d holds NaN or infinite numbers: mend or leave out that part of the file", f.block.Index, from+int(i)-1)
	}
	return nil
}

// unpack takes a line as numbers; false: some of them are none.
func (format Format) unpack(line []complex64, raw []byte, gain float32) bool {
	switch format {
	case IQ8:
		for i := range line {
			line[i] = complex(gain*float32(int8(raw[2*i])), gain*float32(int8(raw[2*i+1])))
		}
	case IQ16:
		for i := range line {
			v := binary.LittleEndian.Uint32(raw[4*i:])
			line[i] = complex(gain*float32(int16(v)), gain*float32(int16(v>>16)))
		}
	case CF32:
		for i := range line {
			re, im := math.Float32frombits(binary.LittleEndian.Uint32(raw[8*i:])), math.Float32frombits(binary.LittleEndian.Uint32(raw[8*i+4:]))
			if re-re != 0 || im-im != 0 {
				return false
			}
			line[i] = complex(gain*re, gain*im)
		}
	}
	return true
}

// run is the algorithm: transforms in azimuth around what is done to each line in range. All that makes an image
// of echoes are phases; the weights are the only factors.
func (f *focuser) run(ctx context.Context) error {
	rows, threads := f.block.Lines, runtime.GOMAXPROCS(0)
	azimuth, err := fft.NewPlan(rows)
	if err != nil {
		return err
	}
	ranges, err := fft.NewPlan(f.width)
	if err != nil {
		return err
	}
	scale, filter, rest := f.phases()
	for _, pass := range []func(){
		func() { azimuth.Columns(f.data, f.width, f.g.columns, false, threads) },
		func() {
			ranges.Through(f.data, f.width, rows, scale, filter, rest, f.rangeWindow(), (f.width+1)/2, threads)
		},
		f.weighAzimuth,
		func() { azimuth.Columns(f.data, f.width, f.g.columns, true, threads) },
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		pass()
	}
	return nil
}

// phases are those of all lines of the range-Doppler domain.
func (f *focuser) phases() (scale, filter, rest []fft.Phase) {
	n := f.block.Lines
	scale, filter, rest = make([]fft.Phase, n), make([]fft.Phase, n), make([]fft.Phase, n)
	for k := range n {
		scale[k], filter[k], rest[k] = f.g.phases(f.g.frequency(k, n), f.width, f.plan.RowOffset)
	}
	return scale, filter, rest
}

// weighAzimuth weights the lines of the range-Doppler domain.
func (f *focuser) weighAzimuth() {
	weight := f.azimuthWeight()
	each(f.block.Lines, func(k int) {
		if w := weight(k); w != 1 {
			line := f.data[k*f.width:][:f.g.columns]
			for i, v := range line {
				line[i] = complex(w*real(v), w*imag(v))
			}
		}
	})
}

// azimuthWeight is the factor of a line of the range-Doppler domain.
func (f *focuser) azimuthWeight() func(k int) float32 {
	shape := window(f.plan.Weights.Azimuth)
	return func(k int) float32 {
		x := (f.g.frequency(k, f.block.Lines) - f.g.centroid) / (f.g.prf / 2)
		return float32(shape(x) * softEdge(x))
	}
}

// rangeWindow are the weights of the bins in range; nil: all are 1.
func (f *focuser) rangeWindow() []float32 {
	if w := f.plan.Weights.Range; w == "" || w == "none" {
		return nil
	}
	shape := window(f.plan.Weights.Range)
	weights := make([]float32, f.width)
	for i := range weights {
		bin := i
		if i >= (f.width+1)/2 {
			bin -= f.width
		}
		weights[i] = float32(shape(float64(bin) / float64(f.width) * f.g.sampling / (f.plan.Params.Bandwidth() / 2)))
	}
	return weights
}

// image takes the block's rows, in the memory that they lie in.
func (f *focuser) image() *Image {
	b, cols := f.block, f.g.columns
	skip := b.FirstRow - b.From
	for r := range b.Rows {
		copy(f.data[r*cols:(r+1)*cols], f.data[(skip+r)*f.width:])
	}
	return &Image{FirstRow: b.FirstRow, Rows: b.Rows, Cols: cols, Pix: f.data[:b.Rows*cols], whole: f.data}
}

// each does n things, several at once.
func each(n int, do func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}

// collect frees the memory of the blocks before, where so many bytes more are to be allocated. The garbage collector
// by itself would let the heap grow to twice what is in use, which is a block or two; of a few large pieces without
// pointers it costs a millisecond.
func collect(bytes int) {
	if bytes >= 32<<20 {
		runtime.GC()
	}
}
