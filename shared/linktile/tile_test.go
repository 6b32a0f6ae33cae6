package linktile

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// bounds of the numbers of a type.
func bounds(dataType string) (low, high int) {
	l, h := Limits(dataType)
	return int(l), int(h)
}

// drawTile makes a tile of any kind: flat, noise, ramps, spikes, with parts without data, saturated numbers and
// blocks that are left out.
func drawTile(t *rapid.T) Tile {
	w, h := rapid.IntRange(1, 90).Draw(t, "w"), rapid.IntRange(1, 70).Draw(t, "h")
	n := rapid.IntRange(1, 5).Draw(t, "bands")
	in := Tile{Header: Header{W: w, H: h, DataType: rapid.SampledFrom([]string{"Byte", "UInt16", "Int16"}).Draw(t, "type"),
		Place: Place{SceneW: w, SceneH: h, Size: 256, Overlap: 24, Cols: 1, Rows: 1}}}
	low, high := bounds(in.DataType)
	for b := range n {
		in.Bands, in.Scalings = append(in.Bands, fmt.Sprint("b", b)), append(in.Scalings, Scaling{0.0001, 0})
	}
	if rapid.Bool().Draw(t, "marked") {
		mark := float64(rapid.SampledFrom([]int{0, low, high, low + 1, 1, 77}).Draw(t, "mark"))
		in.NoData = &mark
	}
	if rapid.Bool().Draw(t, "lossy") {
		for range n {
			in.Error = append(in.Error, rapid.SampledFrom([]int{0, 1, 2, 5, 10, 300, 32767}).Draw(t, "bound"))
		}
	}
	rng := uint64(rapid.Uint32().Draw(t, "seed"))
	random := func(n int) int {
		rng = rng*6364136223846793005 + 1442695040888963407
		return int(rng>>33) % n
	}
	in.Pix = make([]uint16, w*h*n)
	for b := range n {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		noise := rapid.SampledFrom([]int{1, 2, 9, 300, 1 << 16}).Draw(t, "noise")
		level := rapid.IntRange(low, high).Draw(t, "level")
		for i := range w * h {
			v := level
			switch kind {
			case 1:
				v = low + random(high-low+1)
			case 2:
				v += i%w*3 - i/w*2 + random(noise)
			case 3:
				v = low + random(noise)
			case 4:
				v = high - random(noise)
			case 5:
				if b > 0 {
					v = int(in.plane(in.Pix, b-1).value(in.Pix[(b-1)*w*h+i])) + random(noise)
				}
			}
			if random(50) == 0 && kind != 0 {
				v = []int{low, high, 0, int(in.specials()[0])}[random(4)]
			}
			in.Pix[b*w*h+i] = uint16(min(max(v, low), high))
		}
	}
	if voids := rapid.IntRange(0, 3).Draw(t, "voids"); voids > 0 {
		for i := range w * h {
			if voids == 1 && i%w+i/w < (w+h)/3 || voids == 2 && random(9) == 0 || voids == 3 {
				for b := range n {
					in.Pix[b*w*h+i] = in.voidValue()
				}
			}
		}
	}
	if rapid.Bool().Draw(t, "some blocks") {
		for range Blocks(w) * Blocks(h) {
			in.Kept = append(in.Kept, rapid.Bool().Draw(t, "kept"))
		}
	}
	if rapid.Bool().Draw(t, "masked") {
		in.Mask = make([]byte, w*h)
		for i := range in.Mask {
			in.Mask[i] = []byte{0, 1, 2, 255}[(i/7+random(20)/19)%4]
		}
	}
	return in
}

// same says what of a tile did not come back as it should.
func same(in, out Tile) error {
	if !reflect.DeepEqual(in.Header, out.Header) || !slices.Equal(in.Kept, out.Kept) || !bytes.Equal(in.Mask, out.Mask) {
		return fmt.Errorf("%+v came back as %+v", in.Header, out.Header)
	}
	n, special := in.W*in.H, in.specials()
	for b := range in.Bands {
		p, q, e := in.plane(in.Pix, b), out.plane(out.Pix, b), in.bound(b)
		for i := range n {
			v, got := p.value(p.pix[i]), q.value(q.pix[i])
			void := true
			for k := range in.Bands {
				void = void && in.Pix[k*n+i] == in.voidValue()
			}
			kept := in.Kept == nil || in.Kept[i/in.W/BlockSide*Blocks(in.W)+i%in.W/BlockSide]
			switch {
			case void && got != v:
				return fmt.Errorf("band %d, pixel %d: no data came back as %d", b, i, got)
			case void:
			case !kept:
				if q.pix[i] == in.voidValue() {
					return fmt.Errorf("band %d, pixel %d: a mean of no data", b, i)
				}
			case got-v > e || v-got > e:
				return fmt.Errorf("band %d, pixel %d: %d came back as %d, at most %d off was asked for", b, i, v, got, e)
			case slices.Contains(special, v) != slices.Contains(special, got):
				return fmt.Errorf("band %d, pixel %d: %d came back as %d, of which one alone means something special", b, i, v, got)
			}
		}
	}
	return nil
}

func TestEverySampleKeepsItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawTile(t)
		before := slices.Clone(in.Pix)
		data, err := in.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(before, in.Pix) {
			t.Fatal("encoding changed the pixels it was given")
		}
		out, err := Decode(data, in.W*in.H)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(in, out); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDamagedBytesAreNoOtherPixels(t *testing.T) {
	data, err := example(60, 50, 3).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		bad := slices.Clone(data)
		bad[i] ^= 1 << (i % 8)
		if _, err := Decode(bad, 1<<20); !errors.Is(err, ErrMalformed) {
			t.Fatalf("a bit of byte %d was turned over: %v", i, err)
		}
		if _, err := Decode(data[:i], 1<<20); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", i, len(data), err)
		}
	}
	if _, err := Decode(append(data, 0), 1<<20); !errors.Is(err, ErrMalformed) {
		t.Fatal("a byte more is taken")
	}
	if _, err := Decode(data, 60*50-1); !errors.Is(err, ErrMalformed) {
		t.Fatal("more pixels are decoded than asked for")
	}
}

// example is a tile with something of everything, made of whole numbers alone.
func example(w, h, bands int) Tile {
	none := 0.0
	in := Tile{Header: Header{W: w, H: h, DataType: "UInt16", NoData: &none, Place: Place{SceneW: w, SceneH: h, Size: 256, Overlap: 24, Margin: 51, Cols: 1, Rows: 1}},
		Pix: make([]uint16, w*h*bands), Mask: make([]byte, w*h)}
	rng := uint32(1)
	for b := range bands {
		in.Bands, in.Scalings = append(in.Bands, fmt.Sprint("b", b)), append(in.Scalings, Scaling{0.0001, -0.1})
		for i := range w * h {
			x, y := i%w, i/w
			rng = rng*1664525 + 1013904223
			v := 1500 + 300*b + 11*x + (y*y)/4 + (x*y>>3)%90 + int(rng>>27)
			if (x-w/2)*(x-w/2)+(y-h/2)*(y-h/2) < w*h/16 {
				v += 4000
				in.Mask[i] = 2
			}
			if x+y < w/4 {
				v, in.Mask[i] = 0, 255
			}
			in.Pix[b*w*h+i] = uint16(v)
		}
	}
	in.Kept = make([]bool, Blocks(w)*Blocks(h))
	for i := range in.Kept {
		in.Kept[i] = i != len(in.Kept)-1
	}
	return in
}

func TestDecodingTakesNoMoreMemoryThanItSays(t *testing.T) {
	for _, in := range []Tile{example(1, 1, 1), example(300, 200, 1), example(488, 488, 6)} {
		data, err := in.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(data, 1<<20); err != nil { // what is made once
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Decode(data, 1<<20); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := int64(after.TotalAlloc - before.TotalAlloc); used > in.Memory() || in.Memory() > 2*used+2<<20 {
			t.Errorf("%d x %d x %d: %d bytes were made room for, %d were told", in.W, in.H, len(in.Bands), used, in.Memory())
		}
	}
}

func TestAHeaderIsReadWithoutThePixels(t *testing.T) {
	in := example(40, 33, 2)
	data, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for cut := range data {
		h, err := Head(data[:cut])
		if err == nil && !reflect.DeepEqual(h, in.Header) {
			t.Fatalf("%d bytes give %+v", cut, h)
		}
		if err == nil && cut < len(data)/2 {
			return
		}
	}
	t.Error("the header is not read without all of the tile")
}
