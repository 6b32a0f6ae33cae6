package dicom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"strings"
)

// Raw are the samples of a frame, interleaved.
type Raw struct {
	W, H, Samples int
	Values        []int32
}

// JPEG2000 decodes a codestream. It is met by a decoder that runs in a process of its own.
type JPEG2000 func(codestream []byte) (Raw, error)

// Bytes is the memory that decoding a frame takes.
func (f *File) Bytes() int64 {
	pixels := int64(f.Rows) * int64(f.Columns)
	n := pixels * (int64(f.samples)*8 + 3 + 8)
	if f.syntax == jpegs+"90" || f.syntax == jpegs+"91" { // in a process besides
		n += 48<<20 + pixels*int64(f.samples)*16
	}
	return n
}

// values decodes a frame's samples. rgb says that they are colours already, whatever the file says of them.
func (f *File) values(i int, decode JPEG2000) (r Raw, rgb bool, err error) {
	r = Raw{W: f.Columns, H: f.Rows, Samples: f.samples}
	if f.fragments == nil {
		err = f.uncompressed(i, &r)
		return r, false, err
	}
	part, err := f.compressed(i)
	if err != nil {
		return r, false, err
	}
	switch kind := strings.TrimPrefix(f.syntax, jpegs); {
	case f.syntax == runLengths:
		err = f.runLengths(part, &r)
		return r, false, err
	case kind == f.syntax: // none of JPEG's
		return r, false, fmt.Errorf("its pixels are in the transfer syntax %.64q, which is not read; rewrite it, as with `gdcmconv --raw FILE FILE.dcm`", f.syntax)
	case kind == "50" || kind == "51":
		rgb, err = f.baseline(part, &r)
		if err == nil {
			return r, rgb, nil
		}
		return r, rgb, fmt.Errorf("its JPEG: %w; where it is whole, rewrite it, as with `dcmdjpeg FILE FILE.dcm`", err)
	case kind == "57" || kind == "70":
		err = lossless(part, &r)
		f.sign(r.Values, false)
		return r, false, err
	case kind == "90" || kind == "91":
		if decode == nil {
			return r, false, errors.New("there is no decoder for JPEG 2000")
		}
		got, err := decode(unboxed(part))
		if err == nil && (got.W != r.W || got.H != r.H || got.Samples != r.Samples) {
			err = fmt.Errorf("its JPEG 2000 has %d x %d pixels of %d samples, and it says %d x %d of %d", got.W, got.H, got.Samples, r.W, r.H, r.Samples)
		}
		f.sign(got.Values, true)
		return got, f.photometric != "YBR_FULL", err
	case kind == "80" || kind == "81":
		return r, false, errors.New("its pixels are JPEG-LS, which is not read; rewrite it, as with `dcmdjpls FILE FILE.dcm`")
	}
	return r, false, fmt.Errorf("its pixels are in the transfer syntax %.64q, which is not read; rewrite it, as with `gdcmconv --raw FILE FILE.dcm`", f.syntax)
}

// unboxed is the codestream in a JP2 file, which some programs put where the codestream alone should be.
func unboxed(part []byte) []byte {
	for rest := part; len(rest) >= 8 && rest[0] != 0xFF; {
		n, head := uint64(binary.BigEndian.Uint32(rest)), uint64(8)
		switch {
		case n == 1 && len(rest) >= 16:
			n, head = binary.BigEndian.Uint64(rest[8:]), 16
		case n == 0:
			n = uint64(len(rest))
		}
		if n < head || n > uint64(len(rest)) {
			break
		}
		if string(rest[4:8]) == "jp2c" {
			return rest[head:n]
		}
		rest = rest[n:]
	}
	return part
}

// sign gives values of a codestream their sign; signed says that its decoder did where the codestream has one.
func (f *File) sign(values []int32, signed bool) {
	if !f.signed || f.stored > 31 {
		return
	}
	for i, v := range values {
		if !signed || v >= 0 {
			values[i] = f.extend(uint32(v))
		}
	}
}

// extend takes the stored bits of a cell.
func (f *File) extend(v uint32) int32 {
	if f.stored >= 32 {
		return int32(v)
	}
	v &= 1<<f.stored - 1
	if f.signed && v>>(f.stored-1) == 1 {
		return int32(v) - 1<<f.stored
	}
	return int32(v)
}

func (f *File) uncompressed(i int, r *Raw) error {
	n := r.W * r.H * r.Samples
	each := f.frameBits()
	if f.allocated == 1 {
		r.Values = make([]int32, n)
		for k := range r.Values {
			at := uint64(i)*each + uint64(k)
			r.Values[k] = int32(f.native[at/8] >> (at % 8) & 1)
		}
		return nil
	}
	part := f.native[uint64(i)*each/8:][:each/8]
	if f.photometric == "YBR_FULL_422" {
		return f.half(part, r)
	}
	r.Values = make([]int32, n)
	order := binary.ByteOrder(binary.LittleEndian)
	if f.syntax == explicitBig {
		order = binary.BigEndian
	}
	shift := f.high + 1 - f.stored
	for k := range r.Values {
		to := k
		if f.planar && r.Samples > 1 {
			to = k%(r.W*r.H)*r.Samples + k/(r.W*r.H)
		}
		var v uint32
		switch f.allocated {
		case 8:
			v = uint32(f.byteAt(uint64(i)*each/8 + uint64(k)))
		case 16:
			v = uint32(order.Uint16(part[2*k:]))
		case 32:
			v = order.Uint32(part[4*k:])
		}
		r.Values[to] = f.extend(v >> shift)
	}
	return nil
}

// byteAt is a sample of 8 bits.
func (f *File) byteAt(at uint64) byte {
	if f.swapped {
		at ^= 1
	}
	if at >= uint64(len(f.native)) {
		return 0 // the last of an odd number, in a file that lacks the byte that makes it even
	}
	return f.native[at]
}

// half reads brightness for each pixel, and colour for each two.
func (f *File) half(part []byte, r *Raw) error {
	if f.allocated != 8 || r.Samples != 3 || r.W%2 != 0 {
		return errors.New("its colours are halved in a way that is not read; rewrite it, as with `dcmconv +te FILE FILE.dcm`")
	}
	r.Values = make([]int32, 0, r.W*r.H*3)
	for ; len(part) >= 4; part = part[4:] {
		b, c := int32(part[2]), int32(part[3])
		r.Values = append(r.Values, int32(part[0]), b, c, int32(part[1]), b, c)
	}
	return nil
}

// runLengths reads RLE, PS3.5 annex G: a segment for each byte of each sample, the highest first.
func (f *File) runLengths(part []byte, r *Raw) error {
	if len(part) < 64 {
		return errShort
	}
	wide, pixels := f.allocated/8, r.W*r.H
	n := int(binary.LittleEndian.Uint32(part))
	if wide < 1 || n != wide*r.Samples || n > 15 {
		return fmt.Errorf("it has %d segments of run lengths for %d samples of %d bytes", n, r.Samples, wide)
	}
	cells := make([]uint32, pixels*r.Samples)
	plane := make([]byte, pixels)
	for s := range n {
		from, to := uint64(binary.LittleEndian.Uint32(part[4+4*s:])), uint64(len(part))
		if s+1 < n {
			to = uint64(binary.LittleEndian.Uint32(part[8+4*s:]))
		}
		if from < 64 || from > to || to > uint64(len(part)) {
			return errShort
		}
		if err := unpack(part[from:to], plane); err != nil {
			return err
		}
		sample := s / wide
		for k, b := range plane {
			at := k*r.Samples + sample
			cells[at] = cells[at]<<8 | uint32(b)
		}
	}
	r.Values = make([]int32, len(cells))
	for k, v := range cells {
		r.Values[k] = f.extend(v >> (f.high + 1 - f.stored))
	}
	return nil
}

// unpack is PackBits; it fills all of out.
func unpack(in, out []byte) error {
	for len(out) > 0 {
		if len(in) < 2 {
			return errShort
		}
		switch n := int(int8(in[0])); {
		case n >= 0:
			n++
			if n > len(in)-1 || n > len(out) {
				return errShort
			}
			copy(out, in[1:1+n])
			in, out = in[1+n:], out[n:]
		case n != -128:
			n = 1 - n
			if n > len(out) {
				return errShort
			}
			for k := range n {
				out[k] = in[1]
			}
			in, out = in[2:], out[n:]
		default:
			in = in[1:]
		}
	}
	return nil
}

// baseline decodes a JPEG of 8 bits. rgb says that the values are red, green, blue.
func (f *File) baseline(part []byte, r *Raw) (rgb bool, err error) {
	size, err := jpeg.DecodeConfig(bytes.NewReader(part))
	if err == nil && (size.Width != r.W || size.Height != r.H) {
		err = fmt.Errorf("it has %d x %d pixels, and the file says %d x %d", size.Width, size.Height, r.W, r.H)
	}
	if err != nil {
		return false, err
	}
	c, err := jpeg.Decode(bytes.NewReader(part))
	if err != nil {
		return false, err
	}
	r.Values = make([]int32, 0, r.W*r.H*r.Samples)
	switch p := c.(type) {
	case *image.Gray:
		if r.Samples != 1 {
			return false, errors.New("it is grey, and the file says colour")
		}
		for y := range r.H {
			for _, v := range p.Pix[y*p.Stride:][:r.W] {
				r.Values = append(r.Values, int32(v))
			}
		}
		return false, nil
	case *image.YCbCr:
		if r.Samples != 3 {
			return false, errors.New("it is colour, and the file says grey")
		}
		for y := range r.H {
			for x := range r.W {
				k := p.COffset(x, y)
				r.Values = append(r.Values, int32(p.Y[p.YOffset(x, y)]), int32(p.Cb[k]), int32(p.Cr[k]))
			}
		}
		return f.photometric == "RGB", nil // whose samples some programs compress as they are
	case *image.RGBA:
		if r.Samples != 3 {
			return false, errors.New("it is colour, and the file says grey")
		}
		for y := range r.H {
			for x := range r.W {
				k := p.PixOffset(x, y)
				r.Values = append(r.Values, int32(p.Pix[k]), int32(p.Pix[k+1]), int32(p.Pix[k+2]))
			}
		}
		return true, nil
	}
	return false, fmt.Errorf("it is a %T", c)
}
