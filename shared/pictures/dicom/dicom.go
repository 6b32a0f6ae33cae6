// Package dicom reads the pictures of DICOM files and nothing else of them: of all their elements only those are
// looked at that say how pixels are stored and shown, and how large they are. Whose picture it is, by whom, when and
// with what device is stepped over by its length and never becomes a value of the program.
//
// Formats are those of DICOM PS3.5 (encodings) and PS3.3 C.7.6.3, C.11.1, C.11.2 (pixels, rescaling, windows).
package dicom

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// File is what a file says of its pictures.
type File struct {
	Rows, Columns int
	Frames        int
	Spacing       [2]float64 // of pixels in mm, from one to the next along a row and down a column; 0: not said
	AtDetector    bool       // Spacing is that of the detector, not of the body

	syntax      string
	class       string
	samples     int
	photometric string
	planar      bool
	allocated   int
	stored      int
	high        int
	signed      bool
	shown       shown
	each        []shown // of a frame, where frames differ
	padding     []int32 // the value, or from one to the other, that stands for no pixel
	palette     [3]table
	burnt       bool
	rescaled    bool // by a table, which is not applied: its windows mean nothing then
	tables      bool // it has a table of brightness, which is not applied
	segmented   bool // palettes in a form of their own
	floating    bool
	native      []byte
	fragments   [][]byte
	offsets     []uint64
}

// shown is how values become brightness.
type shown struct {
	centre, width       float64
	windows             int
	slope, intercept    float64
	scaled              bool
	function            string
	spacing, atDetector []float64
}

// table is a colour's part of a palette.
type table struct {
	entries, first, bits int
	data                 []byte
}

// Transfer syntaxes, PS3.6 table A-1.
const (
	implicitLittle = "1.2.840.10008.1.2"
	explicitLittle = "1.2.840.10008.1.2.1"
	deflated       = "1.2.840.10008.1.2.1.99"
	explicitBig    = "1.2.840.10008.1.2.2"
	runLengths     = "1.2.840.10008.1.2.5"
	jpegs          = "1.2.840.10008.1.2.4."
)

const slideClass = "1.2.840.10008.5.1.4.1.1.77.1.6"

// mostInflated bounds a deflated file.
const mostInflated = 512 << 20

// Is says whether a file begins as one of DICOM's.
func Is(head []byte) bool {
	from, _ := start(head)
	return from >= 0
}

// start is where a file's elements begin, and whether they say their kinds; -1: it is none. Old files have neither
// preamble nor transfer syntax: they begin with the first elements that a picture has.
func start(data []byte) (from int, explicit bool) {
	switch {
	case len(data) >= 132 && string(data[128:132]) == "DICM":
		return 132, true
	case len(data) < 12 || data[1] != 0 || data[3] != 0:
		return -1, false
	case string(data[:8]) == "\x02\x00\x00\x00UL\x04\x00":
		return 0, true
	case data[0] != 8 || data[2] > 0x18:
		return -1, false
	}
	switch string(data[4:6]) {
	case "UL", "CS", "UI", "SH", "DA":
		if data[7] == 0 {
			return 0, true
		}
		return -1, false
	}
	if n := data[4]; n > 0 && n <= 128 && n%2 == 0 && data[5]|data[6]|data[7] == 0 {
		return 0, false
	}
	return -1, false
}

var errShort = errors.New("it ends within an element; is the file whole?")

// Parse reads what a file says of its pictures. Frames are decoded later; data must stay as they are.
func Parse(data []byte) (*File, error) {
	from, explicit := start(data)
	if from < 0 {
		return nil, errors.New("it is no DICOM file")
	}
	f := &File{Frames: 1, samples: 1, shown: shown{slope: 1}, syntax: explicitLittle}
	if !explicit {
		f.syntax = implicitLittle
	}
	r := &reader{data: data[from:], order: binary.LittleEndian, explicit: true}
	if err := r.elements(func(e element) error {
		switch e.tag {
		case 0x00020002:
			f.class = text(e.value)
		case 0x00020010:
			f.syntax = text(e.value)
		}
		return nil
	}, func(tag uint32) bool { return tag>>16 != 2 }); err != nil {
		return nil, err
	}
	switch f.syntax {
	case implicitLittle:
		r.explicit = false
	case explicitBig:
		r.order = binary.BigEndian
	case deflated:
		whole, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(r.data)), mostInflated+1))
		if err != nil {
			return nil, fmt.Errorf("inflating it: %w", err)
		}
		if len(whole) > mostInflated {
			return nil, fmt.Errorf("it inflates to more than %d bytes", mostInflated)
		}
		r.data = whole
	}
	if err := r.elements(func(e element) error { return f.take(r, e) }, nil); err != nil {
		return nil, err
	}
	return f, f.check()
}

// take keeps what matters of an element of the file itself.
func (f *File) take(r *reader, e element) error {
	number := func(at *int) {
		if v, ok := e.number(r.order); ok {
			*at = v
		}
	}
	switch e.tag {
	case 0x00280002:
		number(&f.samples)
	case 0x00280004:
		f.photometric = text(e.value)
	case 0x00280006:
		v, _ := e.number(r.order)
		f.planar = v == 1
	case 0x00280008:
		if v := floats(e.value, 1); len(v) > 0 {
			f.Frames = int(v[0])
		}
	case 0x00280010:
		number(&f.Rows)
	case 0x00280011:
		number(&f.Columns)
	case 0x00280100:
		number(&f.allocated)
	case 0x00280101:
		number(&f.stored)
	case 0x00280102:
		number(&f.high)
	case 0x00280103:
		v, _ := e.number(r.order)
		f.signed = v == 1
	case 0x00280120, 0x00280121:
		if v, ok := e.number(r.order); ok {
			f.padding = append(f.padding, int32(v))
		}
	case 0x00280301:
		f.burnt = text(e.value) == "YES"
	case 0x00281101, 0x00281102, 0x00281103:
		if t := &f.palette[e.tag-0x00281101]; len(e.value) >= 6 {
			t.entries, t.first, t.bits = int(r.order.Uint16(e.value)), int(r.order.Uint16(e.value[2:])), int(r.order.Uint16(e.value[4:]))
			if t.entries == 0 {
				t.entries = 1 << 16
			}
		}
	case 0x00281201, 0x00281202, 0x00281203:
		f.palette[e.tag-0x00281201].data = e.value
	case 0x00281221, 0x00281222, 0x00281223:
		f.segmented = true
	case 0x00283000:
		f.rescaled, f.tables = true, true
	case 0x00283010:
		f.tables = true
	case 0x52009229:
		return r.items(e, func(_ int, value []byte) error { return f.group(r.over(value), &f.shown, 0) })
	case 0x52009230:
		return r.items(e, func(i int, value []byte) error {
			own := f.shown
			if err := f.group(r.over(value), &own, 0); err != nil {
				return err
			}
			if i < MostFrames {
				f.each = append(f.each, own)
			}
			return nil
		})
	case 0x7FE00001:
		for v := e.value; len(v) >= 8; v = v[8:] {
			f.offsets = append(f.offsets, r.order.Uint64(v))
		}
	case 0x7FE00008, 0x7FE00009:
		f.floating = true
	case 0x7FE00010:
		if e.open {
			return f.encapsulated(r, e.value)
		}
		f.native = e.value
	default:
		f.shown.take(e)
	}
	return nil
}

// MostFrames bounds what is kept of how single frames are shown.
const MostFrames = 1 << 14

// group reads the functional groups that say how frames are shown: of all others it sees nothing.
func (f *File) group(r *reader, s *shown, depth int) error {
	return r.elements(func(e element) error {
		switch e.tag {
		case 0x00289132, 0x00289145, 0x00289110: // window, rescaling, measures
			if depth < 2 {
				return r.items(e, func(i int, value []byte) error {
					if i > 0 {
						return nil
					}
					return f.group(r.over(value), s, depth+1)
				})
			}
		default:
			if depth > 0 {
				s.take(e)
			}
		}
		return nil
	}, nil)
}

func (s *shown) take(e element) {
	switch e.tag {
	case 0x00281050:
		if v := floats(e.value, 64); len(v) > 0 {
			s.centre, s.windows = v[0], len(v)
		}
	case 0x00281051:
		if v := floats(e.value, 1); len(v) > 0 {
			s.width = v[0]
		}
	case 0x00281052:
		if v := floats(e.value, 1); len(v) > 0 {
			s.intercept, s.scaled = v[0], true
		}
	case 0x00281053:
		if v := floats(e.value, 1); len(v) > 0 {
			s.slope, s.scaled = v[0], true
		}
	case 0x00281056:
		s.function = text(e.value)
	case 0x00280030:
		s.spacing = floats(e.value, 2)
	case 0x00181164:
		s.atDetector = floats(e.value, 2)
	}
}

// check says why a file has no picture that is shown.
func (f *File) check() error {
	switch {
	case f.burnt:
		return errors.New("it says that words about the person are drawn into its pixels (Burned In Annotation); black them out first, and set the element to NO")
	case f.class == slideClass:
		return errors.New("it is a whole slide in tiles, which is not taken as pictures; make a TIFF of it that `canvas detect --scene` reads, as with `vips tiffsave FILE FILE.tif --tile --pyramid --compression jpeg`")
	case f.floating:
		return errors.New("its pixels are floating point, which is not read; write it with whole numbers")
	case f.native == nil && f.fragments == nil:
		return errors.New("it has no picture: a report, a plan or an index")
	case f.segmented && f.photometric == "PALETTE COLOR":
		return errors.New("its palette is in segments, which is not read; export it as PNG, as with `dcmj2pnm --write-png FILE FILE.png`")
	case f.Rows < 1 || f.Columns < 1 || f.Rows > 1<<16 || f.Columns > 1<<16 || f.Frames < 1 || f.samples != 1 && f.samples != 3:
		return fmt.Errorf("it has %d frames of %d x %d pixels of %d samples", f.Frames, f.Columns, f.Rows, f.samples)
	}
	switch f.allocated {
	case 1, 8, 16, 32:
	default:
		return fmt.Errorf("its samples take %d bits, which is not read; rewrite it, as with `gdcmconv --raw FILE FILE.dcm`", f.allocated)
	}
	if f.stored < 1 || f.stored > f.allocated {
		f.stored = f.allocated
	}
	if f.high < f.stored-1 || f.high >= f.allocated {
		f.high = f.stored - 1
	}
	if f.fragments == nil {
		if n := uint64(len(f.native)); f.frameBits() > n*8 {
			return fmt.Errorf("its pixels have %d bytes, and a frame needs %d; is the file whole?", n, f.frameBits()/8)
		} else if whole := int(n * 8 / f.frameBits()); whole < f.Frames {
			return fmt.Errorf("it says that it has %d frames, and %d are there; is the file whole?", f.Frames, whole)
		}
	}
	spacing := f.shown.spacing
	if len(spacing) < 2 && len(f.each) > 0 {
		spacing = f.each[0].spacing
	}
	if len(spacing) < 2 {
		spacing, f.AtDetector = f.shown.atDetector, len(f.shown.atDetector) == 2
	}
	if len(spacing) == 2 && spacing[0] > 0 && spacing[1] > 0 {
		f.Spacing = [2]float64{spacing[1], spacing[0]} // the file has the rows' first
	}
	return nil
}

// frameBits is the size of a frame that is not compressed.
func (f *File) frameBits() uint64 {
	n := uint64(f.Rows) * uint64(f.Columns) * uint64(f.samples) * uint64(f.allocated)
	if f.photometric == "YBR_FULL_422" {
		n = uint64(f.Rows) * uint64(f.Columns) * 2 * uint64(f.allocated)
	}
	return n
}

func text(value []byte) string {
	return strings.TrimRight(string(value[:min(len(value), 64)]), " \x00")
}

// floats reads numbers that stand as text, at most so many.
func floats(value []byte, most int) (out []float64) {
	for part := range strings.SplitSeq(string(value[:min(len(value), 1024)]), `\`) {
		v, err := strconv.ParseFloat(strings.Trim(part, " \x00"), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || len(out) == most {
			break
		}
		out = append(out, v)
	}
	return out
}
