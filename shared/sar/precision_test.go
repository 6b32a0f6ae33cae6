package sar

import (
	"bytes"
	"math"
	"math/cmplx"
	"runtime"
	"testing"

	"cloudcanvas/shared/fft"
)

// TestSinglePrecisionIsEnough holds an image to the same formulas in double precision throughout.
func TestSinglePrecisionIsEnough(t *testing.T) {
	t.Parallel()
	for _, weights := range []Weighting{{}, {Range: "hamming", Azimuth: "kaiser"}} {
		p := cBand(-6900)
		p.Lines, p.Samples, p.ChirpS, p.FirstSampleSlantRangeM = 150, 500, 10e-6, 200000
		plan := planOf(t, p, 1<<30)
		plan.Weights = weights
		echoes := noise(p, 7)
		im := focusAll(t, plan, asCF32(echoes))
		want := focus128(plan, plan.Blocks[0], echoes)
		if db := differenceDB(im.Pix, want); db > -100 {
			t.Errorf("weighted %+v it is off by %.1f dB", weights, db)
		} else {
			t.Logf("weighted %+v it is off by %.1f dB", weights, db)
		}
	}
}

func differenceDB(is []complex64, want []complex128) float64 {
	var off, all float64
	for i, v := range want {
		off += math.Pow(cmplx.Abs(complex128(is[i])-v), 2)
		all += math.Pow(cmplx.Abs(v), 2)
	}
	return 10 * math.Log10(off/all)
}

// focus128 is Focus in double precision.
func focus128(p *Plan, b Block, lines []complex128) []complex128 {
	f := p.focuser(b, nil)
	rows, width, cols := b.Lines, f.width, p.Params.Samples
	data := make([]complex128, rows*width)
	from, n := p.Stored(b)
	for r := range n {
		for c := range cols {
			data[(from-b.From+r)*width+c] = complex128(complex64(lines[(from+r)*cols+c]))
		}
	}
	columns := func(transform func([]complex128) []complex128) {
		column := make([]complex128, rows)
		for c := range cols {
			for r := range rows {
				column[r] = data[r*width+c]
			}
			for r, v := range transform(column) {
				data[r*width+c] = v
			}
		}
	}
	turn := func(line []complex128, phase fft.Phase, first int) {
		for i := range line {
			n := float64(first + i)
			line[i] *= cycle(phase.A + n*(phase.B+phase.C*n))
		}
	}
	columns(fft128)
	scale, filter, rest := f.phases()
	inRange, inAzimuth := window(p.Weights.Range), window(p.Weights.Azimuth)
	for k := range rows {
		line := data[k*width : (k+1)*width]
		turn(line, scale[k], 0)
		line = fft128(line)
		turn(line[:(width+1)/2], filter[k], 0)
		turn(line[(width+1)/2:], filter[k], -(width / 2))
		for i := range line {
			bin := i
			if i >= (width+1)/2 {
				bin -= width
			}
			line[i] *= complex(inRange(float64(bin)/float64(width)*p.Params.SamplingHz/(p.Params.Bandwidth()/2)), 0)
		}
		line = inverse128(line)
		turn(line, rest[k], 0)
		x := (f.g.frequency(k, rows) - f.g.centroid) / (f.g.prf / 2)
		for i, v := range line {
			data[k*width+i] = v * complex(inAzimuth(x)*softEdge(x), 0)
		}
	}
	columns(inverse128)
	var out []complex128
	for r := range b.Rows {
		at := (b.FirstRow - b.From + r) * width
		out = append(out, data[at:at+cols]...)
	}
	return out
}

// fft128 is a transform of any length, by its prime factors.
func fft128(x []complex128) []complex128 {
	n := len(x)
	if n == 1 {
		return []complex128{x[0]}
	}
	radix := 2
	for n%radix != 0 {
		radix++
	}
	m := n / radix
	parts := make([][]complex128, radix)
	for i := range parts {
		part := make([]complex128, m)
		for j := range part {
			part[j] = x[j*radix+i]
		}
		parts[i] = fft128(part)
	}
	out := make([]complex128, n)
	for k := range out {
		for i, part := range parts {
			out[k] += part[k%m] * cycle(-float64(i*k%n)/float64(n))
		}
	}
	return out
}

func inverse128(x []complex128) []complex128 {
	out := fft128(x)
	for i, j := 1, len(x)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	for i := range out {
		out[i] /= complex(float64(len(x)), 0)
	}
	return out
}

// TestFocusingCanBeUndone multiplies an image back into its echoes: all phases the other way round.
func TestFocusingCanBeUndone(t *testing.T) {
	t.Parallel()
	p := cBand(-6900)
	p.Lines = 1000
	plan := planOf(t, p, 4<<30)
	f := plan.focuser(plan.Blocks[0], nil)
	rows, cols, threads := f.block.Lines, f.g.columns, runtime.GOMAXPROCS(0)
	// Nothing where the weights are not 1, so that they can be left out on the way back.
	copy(f.data, asComplex64(noise(Params{Lines: rows, Samples: f.width}, 5)))
	azimuth, err := fft.NewPlan(rows)
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := fft.NewPlan(f.width)
	if err != nil {
		t.Fatal(err)
	}
	azimuth.Columns(f.data, f.width, f.width, false, threads)
	for k := range rows {
		if x := (f.g.frequency(k, rows) - f.g.centroid) / (f.g.prf / 2); softEdge(x) < 1 {
			clear(f.data[k*f.width : (k+1)*f.width])
		}
	}
	azimuth.Columns(f.data, f.width, f.width, true, threads)
	f.g.columns = f.width // the way back needs what lies beyond the swath
	before := append([]complex64(nil), f.data...)
	if err := f.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	scale, filter, rest := f.phases()
	for _, phases := range [][]fft.Phase{scale, filter, rest} {
		for i, q := range phases {
			phases[i] = fft.Phase{A: -q.A, B: -q.B, C: -q.C}
		}
	}
	azimuth.Columns(f.data, f.width, f.width, false, threads)
	ranges.Through(f.data, f.width, rows, rest, filter, scale, nil, (f.width+1)/2, threads)
	azimuth.Columns(f.data, f.width, f.width, true, threads)
	want := make([]complex128, len(before))
	for i, v := range before {
		want[i] = complex128(v)
	}
	if off := math.Pow(10, differenceDB(f.data, want)/20); off > 1e-5 {
		t.Errorf("echoes of %d lines and %d columns come back with an error of %.2g", rows, cols, off)
	} else {
		t.Logf("echoes come back with an error of %.2g", off)
	}
}

func asComplex64(x []complex128) []complex64 {
	out := make([]complex64, len(x))
	for i, v := range x {
		out[i] = complex64(v)
	}
	return out
}

func TestTheBitsDoNotDependOnThreads(t *testing.T) {
	p := cBand(-6900)
	p.Lines = 700
	plan := planOf(t, p, 4<<30)
	raw := asCF32(noise(p, 9))
	was := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(was)
	one := focusAll(t, plan, raw)
	for _, n := range []int{2, 5} {
		runtime.GOMAXPROCS(n)
		(&Image{whole: asComplex64(noise(Params{Lines: 4000, Samples: 6000}, 4))}).Release() // what another block left
		if several := focusAll(t, plan, raw); !bytes.Equal(bytesOf(one.Pix), bytesOf(several.Pix)) {
			t.Errorf("%d threads make another image", n)
		}
	}
}
