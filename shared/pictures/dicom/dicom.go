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
	swapped     bool // samples of 8 bits lie in words whose bytes are turned round
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
