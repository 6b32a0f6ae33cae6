package linktile

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// meanSteps is into how many steps the range of a band's means is divided: they are for looking and for what
// lies beside them, not for measuring.
const meanSteps = 64

// encodeMeans replaces the pixels of blocks that are left out by their mean, to some steps, and codes it.
func encodeMeans(h Header, pix []uint16, from []uint8) []byte {
	blocks := h.leftOut(from)
	if len(blocks) == 0 {
		return nil
	}
	var out []byte
	w := newBinaryWriter()
	for b := range h.Bands {
		p := h.plane(pix, b)
		means := make([]int32, len(blocks))
		for i, block := range blocks {
			var sum, n int64
			h.inBlock(block, from, func(i int) { sum += int64(p.value(p.pix[i])); n++ })
			means[i] = int32(sum / n)
		}
		base := slices.Min(means)
		step := (slices.Max(means)-base)/meanSteps + 1
		out = binary.AppendVarint(out, int64(base))
		out = binary.AppendVarint(out, int64(step))
		m, last := newNumberModel(), int32(0)
		for i, block := range blocks {
			level := (means[i] - base + step/2) / step
			m.put(w, zigzag(level-last))
			last = level
			v := h.meanOf(int64(base) + int64(step)*int64(level))
			h.inBlock(block, from, func(i int) { p.pix[i] = v })
		}
	}
	return append(out, w.finish()...)
}

// decodeMeans fills the blocks that are left out.
func decodeMeans(h Header, data []byte, pix []uint16, from []uint8) error {
	blocks := h.leftOut(from)
	r := byteReader{data: data}
	if len(blocks) == 0 {
		return r.end("means")
	}
	base, step := make([]int64, len(h.Bands)), make([]int64, len(h.Bands))
	for b := range h.Bands {
		base[b], step[b] = r.varint(-1<<15, 1<<16), r.varint(1, 1<<16)
	}
	if r.bad {
		return r.end("means")
	}
	coded := newBinaryReader(r.data)
	for b := range h.Bands {
		p := h.plane(pix, b)
		m, level := newNumberModel(), int64(0)
		for _, block := range blocks {
			level += int64(unzigzag(m.get(coded)))
			v := h.meanOf(base[b] + step[b]*min(max(level, 0), meanSteps))
			h.inBlock(block, from, func(i int) { p.pix[i] = v })
		}
	}
	r.data = coded.data
	return r.end("means")
}

// meanOf is the number of a mean: none that means no data.
func (h Header) meanOf(v int64) uint16 {
	low, high := Limits(h.DataType)
	v = min(max(v, int64(low)), int64(high))
	if uint16(v) == h.voidValue() {
		if v == int64(high) {
			v--
		} else {
			v++
		}
	}
	return uint16(v)
}

func (h Header) plane(pix []uint16, b int) plane {
	n := h.W * h.H
	return plane{pix: pix[b*n : (b+1)*n], signed: h.DataType == "Int16"}
}

// leftOut lists the blocks that have pixels whose numbers are left out.
func (h Header) leftOut(from []uint8) (blocks []int) {
	across := Blocks(h.W)
	some := make([]bool, across*Blocks(h.H))
	for i, f := range from {
		if f == leftOut {
			some[i/h.W/BlockSide*across+i%h.W/BlockSide] = true
		}
	}
	for i, is := range some {
		if is {
			blocks = append(blocks, i)
		}
	}
	return blocks
}

// inBlock goes through the pixels of a block that are left out.
func (h Header) inBlock(block int, from []uint8, each func(i int)) {
	across := Blocks(h.W)
	x0, y0 := block%across*BlockSide, block/across*BlockSide
	for y := y0; y < min(y0+BlockSide, h.H); y++ {
		for i := y*h.W + x0; i < y*h.W+min(x0+BlockSide, h.W); i++ {
			if from[i] == leftOut {
				each(i)
			}
		}
	}
}

// numberModel codes small whole numbers: how many bits they have, one by one, and the bits.
type numberModel struct {
	length [20]probability
	bits   [20][2]probability // of the first bit behind the leading one, and of the others
}

func newNumberModel() *numberModel {
	m := new(numberModel)
	for i := range m.length {
		m.length[i], m.bits[i] = even, [2]probability{even, even}
	}
	return m
}

func (m *numberModel) put(w *binaryWriter, v uint32) {
	n := bits.Len32(v)
	for i := range len(m.length) {
		w.put(&m.length[i], bit(i < n))
		if i >= n {
			break
		}
	}
	for i := n - 2; i >= 0; i-- {
		w.put(&m.bits[n-1][min(n-2-i, 1)], v>>i&1)
	}
}

func (m *numberModel) get(r *binaryReader) uint32 {
	n := 0
	for n < len(m.length) && r.get(&m.length[n]) == 1 {
		n++
	}
	if n == 0 {
		return 0
	}
	v := uint32(1)
	for i := n - 2; i >= 0; i-- {
		v = v<<1 | r.get(&m.bits[n-1][min(n-2-i, 1)])
	}
	return v
}
