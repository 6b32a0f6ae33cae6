package dicom

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// lossless decodes a JPEG of the lossless process with Huffman codes (ITU-T T.81 annex H), which no decoder of Go's
// or OpenCV's reads and most scanners write.
func lossless(data []byte, r *Raw) error {
	d := ljpeg{raw: r}
	if err := d.read(data); err != nil {
		return fmt.Errorf("its lossless JPEG: %w", err)
	}
	return nil
}

type ljpeg struct {
	raw       *Raw
	tables    [4]*huffman
	precision int
	restart   int
	ids       []byte
	done      bool

	in   []byte // what a scan has left
	bits uint32
	n    int
}

// huffman finds a code's value by its length and first code, as annex F.2.2.3 does.
type huffman struct {
	most   [17]int32 // the largest code of a length; -1: none
	delta  [17]int32 // its value's place, less the code
	values []byte
}

var errJPEG = errors.New("it is damaged, or cut short")

func (d *ljpeg) read(data []byte) error {
	for at := 2; !d.done; {
		if at+4 > len(data) || data[at] != 0xFF {
			return errJPEG
		}
		marker := data[at+1]
		if marker == 0xFF {
			at++
			continue
		}
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		if n < 2 || at+2+n > len(data) {
			return errJPEG
		}
		body := data[at+4 : at+2+n]
		at += 2 + n
		var err error
		switch marker {
		case 0xC3:
			err = d.frame(body)
		case 0xC4:
			err = d.huffman(body)
		case 0xDD:
			if len(body) < 2 {
				return errJPEG
			}
			d.restart = int(binary.BigEndian.Uint16(body))
		case 0xDA:
			err = d.scan(body, data[at:])
		case 0xC0, 0xC1, 0xC2, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xD9:
			err = fmt.Errorf("it is of another process (%#x)", marker)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *ljpeg) frame(body []byte) error {
	if len(body) < 6 || len(body) < 6+3*int(body[5]) {
		return errJPEG
	}
	h, w := int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	if d.precision = int(body[0]); w != d.raw.W || h != d.raw.H || int(body[5]) != d.raw.Samples || d.precision < 2 || d.precision > 16 {
		return fmt.Errorf("it has %d x %d pixels of %d samples of %d bits, and the file says %d x %d of %d", w, h, body[5], d.precision, d.raw.W, d.raw.H, d.raw.Samples)
	}
	d.ids = nil
	for c := range int(body[5]) {
		if body[7+3*c] != 0x11 {
			return errors.New("its colours are thinned out")
		}
		d.ids = append(d.ids, body[6+3*c])
	}
	return nil
}

func (d *ljpeg) huffman(body []byte) error {
	for len(body) >= 17 {
		if body[0] > 3 {
			return errJPEG
		}
		t, total, code := &huffman{}, 0, int32(0)
		for length := 1; length <= 16; length++ {
			n := int32(body[length])
			t.delta[length] = int32(total) - code
			t.most[length] = -1
			if n > 0 {
				t.most[length] = code + n - 1
			}
			code, total = (code+n)<<1, total+int(n)
		}
		if len(body) < 17+total {
			return errJPEG
		}
		t.values = body[17 : 17+total]
		d.tables[body[0]] = t
		body = body[17+total:]
	}
	return nil
}

// scan decodes all samples, which lie in one scan.
func (d *ljpeg) scan(body, in []byte) error {
	n := d.raw.Samples
	if d.ids == nil || len(body) < 4+2*n || int(body[0]) != n {
		return errors.New("its samples are in scans of their own, or before their size")
	}
	tables := make([]*huffman, n)
	for c := range n {
		if tables[c] = d.tables[body[2+2*c]>>4&3]; body[1+2*c] != d.ids[c] || tables[c] == nil {
			return errJPEG
		}
	}
	predictor, shift := body[1+2*n], int(body[3+2*n]&15)
	if predictor < 1 || predictor > 7 || shift >= d.precision {
		return errJPEG
	}
	if len(in) < d.raw.W*d.raw.H*n/8 { // before room is made: a code takes a bit at least
		return errJPEG
	}
	d.in = in
	values := make([]int32, d.raw.W*d.raw.H*n)
	row, middle := d.raw.W*n, int32(1)<<(d.precision-shift-1)
	left, first := 0, true // until the next restart; in its first line
	for y := range d.raw.H {
		for x := range d.raw.W {
			fresh := y == 0 && x == 0
			if d.restart > 0 {
				if left == 0 && !fresh {
					if err := d.marker(); err != nil {
						return err
					}
					fresh = true
				}
				if left == 0 {
					left = d.restart
				}
				left--
			}
			if fresh {
				first = true
			} else if x == 0 {
				first = false
			}
			for c := range n {
				at := y*row + x*n + c
				diff, err := d.difference(tables[c])
				if err != nil {
					return err
				}
				var p int32
				switch {
				case fresh:
					p = middle
				case first:
					p = values[at-n]
				case x == 0:
					p = values[at-row]
				default:
					p = predict(predictor, values[at-n], values[at-row], values[at-row-n])
				}
				values[at] = (p + diff) & 0xFFFF
			}
		}
	}
	for i := range values {
		values[i] <<= shift
	}
	d.raw.Values, d.done = values, true
	return nil
}

// predict is table H.1.
func predict(how byte, left, above, corner int32) int32 {
	switch how {
	case 1:
		return left
	case 2:
		return above
	case 3:
		return corner
	case 4:
		return left + above - corner
	case 5:
		return left + (above-corner)>>1
	case 6:
		return above + (left-corner)>>1
	}
	return (left + above) >> 1
}

func (d *ljpeg) difference(t *huffman) (int32, error) {
	code := int32(0)
	for length := 1; length <= 16; length++ {
		code = code<<1 | d.bit()
		if code <= t.most[length] {
			k := code + t.delta[length]
			if k < 0 || int(k) >= len(t.values) {
				return 0, errJPEG
			}
			diff, err := d.extend(int(t.values[k]))
			if d.n < 0 {
				err = errJPEG
			}
			return diff, err
		}
	}
	return 0, errJPEG
}

func (d *ljpeg) extend(size int) (int32, error) {
	switch {
	case size == 0:
		return 0, nil
	case size == 16:
		return 1 << 15, nil
	case size > 16:
		return 0, errJPEG
	}
	v := int32(0)
	for range size {
		v = v<<1 | d.bit()
	}
	if v < 1<<(size-1) {
		v -= 1<<size - 1
	}
	return v, nil
}

// bit is the next one; beyond the end n becomes negative, and zeros come.
func (d *ljpeg) bit() int32 {
	if d.n <= 0 {
		if len(d.in) == 0 || d.in[0] == 0xFF && (len(d.in) < 2 || d.in[1] != 0) {
			d.n = -1
			return 0
		}
		d.bits, d.n = uint32(d.in[0]), 8
		if d.in[0] == 0xFF {
			d.in = d.in[1:]
		}
		d.in = d.in[1:]
	}
	d.n--
	return int32(d.bits >> d.n & 1)
}

// marker steps over a restart.
func (d *ljpeg) marker() error {
	d.n = 0
	if len(d.in) < 2 || d.in[0] != 0xFF || d.in[1] < 0xD0 || d.in[1] > 0xD7 {
		return errJPEG
	}
	d.in = d.in[2:]
	return nil
}
