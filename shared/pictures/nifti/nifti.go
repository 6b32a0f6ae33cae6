// Package nifti reads volumes in NIfTI-1 and NIfTI-2, compressed or not, slice by slice of their third axis. Of the
// header only what says how voxels are stored and shown is looked at: free text and extensions, which may name people,
// are stepped over. Formats: nifti1.h and nifti2.h of the NIfTI Data Format Working Group.
package nifti

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// File is a volume, or a row of them. It belongs to one goroutine.
type File struct {
	W, H    int        // of a slice: the first axis and the second
	Slices  int        // of all volumes, one after the other
	Volumes int        // of Slices/Volumes slices each
	Spacing [2]float64 // along the first and the second axis, in mm; 0: not said

	data         []byte
	order        binary.ByteOrder
	kind         int
	size         int // of a voxel, in bytes
	offset       int64
	slope, inter float64
	low, high    float64 // what the file says is to be shown
	shown        *[2]float64

	from io.Reader // at the slice that comes next
	next int
	raw  []byte
}

// Types of voxels.
const (
	rgb24, rgba32 = 128, 2304
)

var sizes = map[int]int{2: 1, 4: 2, 8: 4, 16: 4, 64: 8, rgb24: 3, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8, rgba32: 4}

const (
	header1, header2 = 348, 540
	magic2           = "n+2\x00\r\n\x1a\n"
	// mostBytes bounds what a file may unfold to.
	mostBytes  = 4 << 30
	mostSlices = 1 << 20
)

// Is says whether a file that begins with head is one; pair, that its voxels lie in another.
func Is(head []byte) (is, pair bool) {
	if len(head) > 2 && head[0] == 0x1F && head[1] == 0x8B {
		z, err := gzip.NewReader(bytes.NewReader(head))
		if err != nil {
			return false, false
		}
		plain := make([]byte, header1)
		n, _ := io.ReadFull(z, plain) // head is a part of it
		head = plain[:n]
	}
	switch {
	case len(head) >= 12 && string(head[4:12]) == magic2:
		return true, false
	case len(head) >= 12 && string(head[4:7]) == "ni2":
		return false, true
	case len(head) < header1:
		return false, false
	}
	return string(head[344:348]) == "n+1\x00", string(head[344:348]) == "ni1\x00"
}

// Parse reads the header.
func Parse(data []byte) (*File, error) {
	f := &File{data: data}
	if err := f.rewind(); err != nil {
		return nil, err
	}
	h := make([]byte, header1)
	if _, err := io.ReadFull(f.from, h); err != nil {
		return nil, fmt.Errorf("its header: %w", short(err))
	}
	two := string(h[4:12]) == magic2
	if two {
		h = append(h, make([]byte, header2-header1)...)
		if _, err := io.ReadFull(f.from, h[header1:]); err != nil {
			return nil, fmt.Errorf("its header: %w", short(err))
		}
	}
	f.from = nil
	f.order = binary.LittleEndian
	if binary.BigEndian.Uint32(h) == header1 || binary.BigEndian.Uint32(h) == header2 {
		f.order = binary.BigEndian
	}
	sides, units := f.fields(h, two)
	return f, f.check(sides, units)
}

// fields reads the header's numbers.
func (f *File) fields(h []byte, two bool) (sides [8]int64, units int) {
	o := f.order
	short16 := func(at int) int { return int(int16(o.Uint16(h[at:]))) }
	float := func(at int) float64 { return float64(math.Float32frombits(o.Uint32(h[at:]))) }
	double := func(at int) float64 { return math.Float64frombits(o.Uint64(h[at:])) }
	if two {
		f.kind = short16(12)
		for i := range sides {
			sides[i] = int64(o.Uint64(h[16+8*i:]))
		}
		f.Spacing = [2]float64{double(112), double(120)}
		f.offset = int64(o.Uint64(h[168:]))
		f.slope, f.inter, f.high, f.low = double(176), double(184), double(192), double(200)
		return sides, int(o.Uint32(h[500:]))
	}
	f.kind = short16(70)
	for i := range sides {
		sides[i] = int64(short16(40 + 2*i))
	}
	f.Spacing = [2]float64{float(80), float(84)}
	f.offset = int64(float(108))
	f.slope, f.inter, f.high, f.low = float(112), float(116), float(124), float(128)
	return sides, int(h[123])
}

func (f *File) check(sides [8]int64, units int) error {
	if sides[0] < 1 || sides[0] > 7 {
		return fmt.Errorf("it has %d axes", sides[0])
	}
	for i := sides[0] + 1; i < 8; i++ {
		sides[i] = 1
	}
	all := int64(1)
	for _, n := range sides[1:] {
		if n < 1 || n > 1<<31 || all > mostBytes/n {
			return fmt.Errorf("its axes have %v voxels, over the limit of %d in all", sides[1:1+sides[0]], int64(mostBytes))
		}
		all *= n
	}
	var ok bool
	if f.size, ok = sizes[f.kind]; !ok {
		return fmt.Errorf("its voxels are of the type %d, which is not read; convert them to float32", f.kind)
	}
	if all/sides[1]/sides[2] > mostSlices {
		return fmt.Errorf("it has %d slices, over the limit of %d", all/sides[1]/sides[2], mostSlices)
	}
	if all*int64(f.size) > mostBytes {
		return fmt.Errorf("its voxels take %d bytes, over the limit of %d", all*int64(f.size), int64(mostBytes))
	}
	if f.offset < header1 || f.offset > 1<<30 {
		return fmt.Errorf("its voxels begin at byte %d", f.offset)
	}
	f.W, f.H = int(sides[1]), int(sides[2])
	f.Slices, f.Volumes = int(all/sides[1]/sides[2]), int(all/sides[1]/sides[2]/sides[3])
	if !f.zipped() && int64(len(f.data)) < f.offset+all*int64(f.size) {
		return fmt.Errorf("its voxels take %d bytes, and %d are there; is the file whole?", all*int64(f.size), int64(len(f.data))-f.offset)
	}
	if f.slope == 0 || !finite(f.slope) || !finite(f.inter) {
		f.slope, f.inter = 1, 0
	}
	mm := map[int]float64{1: 1000, 2: 1, 3: 0.001}[units&7]
	for i, s := range f.Spacing {
		f.Spacing[i] = math.Round(math.Abs(s)*mm*1e6) / 1e6 // of 32 bits, mostly
	}
	if !finite(f.Spacing[0]) || !finite(f.Spacing[1]) || f.Spacing[0]*f.Spacing[1] == 0 {
		f.Spacing = [2]float64{}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func (f *File) zipped() bool { return len(f.data) > 2 && f.data[0] == 0x1F && f.data[1] == 0x8B }

// rewind goes to the file's beginning.
func (f *File) rewind() error {
	f.from, f.next = bytes.NewReader(f.data), 0
	if !f.zipped() {
		return nil
	}
	z, err := gzip.NewReader(f.from)
	f.from = z
	return err
}

// seek goes to a slice: what lies before it in a compressed file is inflated.
func (f *File) seek(i int) error {
	if f.from == nil || i < f.next {
		if err := f.rewind(); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, f.from, f.offset); err != nil {
			return short(err)
		}
	}
	if skip := int64(i-f.next) * int64(f.W*f.H*f.size); skip > 0 {
		if _, err := io.CopyN(io.Discard, f.from, skip); err != nil {
			return short(err)
		}
	}
	f.next = i
	return nil
}

// slice reads the bytes of a slice.
func (f *File) slice(i int) ([]byte, error) {
	if err := f.seek(i); err != nil {
		return nil, err
	}
	if f.raw == nil {
		f.raw = make([]byte, f.W*f.H*f.size)
	}
	if _, err := io.ReadFull(f.from, f.raw); err != nil {
		f.from = nil
		return nil, short(err)
	}
	f.next++
	return f.raw, nil
}

func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends early; is the file whole?")
	}
	return err
}
