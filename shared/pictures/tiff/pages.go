// Package tiff finds the pages of a TIFF or BigTIFF, and tells those that are pictures of their own from the smaller
// copies, thumbnails and masks beside them. It reads directories only, so that files of any size can be looked at.
package tiff

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
)

// Page is one of a file's.
type Page struct {
	At    int64 // of its directory in the file
	Link  int64 // of the place that says where the next one is
	W, H  int
	Tiled bool

	kind uint64 // NewSubfileType
	old  uint64 // SubfileType
	subs bool   // it has pages below it
	note string // how its description begins
	ndpi bool   // a scanner of Hamamatsu's wrote it
}

// File is what a file's directories say.
type File struct {
	Big   bool
	Order binary.ByteOrder
	Pages []Page // all, in their order
	Cut   bool   // there are more, which could not be read
}

// MostPages bounds the pages that are looked at.
const MostPages = 1 << 13

// Bits of NewSubfileType, and the value of SubfileType for a smaller copy.
const smaller, mask, oldSmaller = 1, 4, 2

var errShort = errors.New("it ends within its directories; is the file whole?")

// Read follows the chain of pages.
func Read(r io.ReaderAt, size int64) (f File, err error) {
	head := make([]byte, 16)
	if n, err := r.ReadAt(head, 0); n < 8 {
		return f, errors.Join(errShort, err)
	}
	switch string(head[:2]) {
	case "II":
		f.Order = binary.LittleEndian
	case "MM":
		f.Order = binary.BigEndian
	default:
		return f, errors.New("it is no TIFF")
	}
	next := int64(f.Order.Uint32(head[4:]))
	if f.Big = f.Order.Uint16(head[2:]) == 43; f.Big {
		next = int64(f.Order.Uint64(head[8:]))
	}
	seen := map[int64]bool{}
	for next != 0 && !seen[next] {
		if len(f.Pages) == MostPages {
			f.Cut = true
			return f, nil
		}
		seen[next] = true
		var p Page
		if p, next, err = f.page(r, size, next); err != nil {
			if len(f.Pages) == 0 {
				return f, err
			}
			f.Cut = true
			return f, nil
		}
		f.Pages = append(f.Pages, p)
	}
	if len(f.Pages) == 0 {
		return f, errors.New("it has no pages")
	}
	return f, nil
}

// page reads a directory, and where the next one is.
func (f *File) page(r io.ReaderAt, size, at int64) (p Page, next int64, err error) {
	wide, count, pointer := int64(12), int64(2), int64(4)
	if f.Big {
		wide, count, pointer = 20, 8, 8
	}
	if at < 8 || at > size-count {
		return p, 0, errShort
	}
	head := make([]byte, count)
	if _, err := r.ReadAt(head, at); err != nil {
		return p, 0, errShort
	}
	n := int64(f.Order.Uint16(head))
	if f.Big {
		n = int64(min(f.Order.Uint64(head), 1<<16))
	}
	if at+count+n*wide+pointer > size {
		return p, 0, errShort
	}
	entries := make([]byte, n*wide+pointer)
	if _, err := r.ReadAt(entries, at+count); err != nil {
		return p, 0, errShort
	}
	p.At, p.Link = at, at+count+n*wide
	for ; int64(len(entries)) > pointer; entries = entries[wide:] {
		f.entry(&p, r, entries[:wide])
	}
	if f.Big {
		return p, int64(f.Order.Uint64(entries)), nil
	}
	return p, int64(f.Order.Uint32(entries)), nil
}

func (f *File) entry(p *Page, r io.ReaderAt, e []byte) {
	value := e[8:]
	n := uint64(f.Order.Uint32(e[4:]))
	if f.Big {
		value, n = e[12:], f.Order.Uint64(e[4:])
	}
	number := uint64(f.Order.Uint32(value))
	if f.Order.Uint16(e[2:]) == 3 {
		number = uint64(f.Order.Uint16(value))
	}
	switch f.Order.Uint16(e) {
	case 254:
		p.kind = number
	case 255:
		p.old = number
	case 256:
		p.W = int(min(number, 1<<31-1))
	case 257:
		p.H = int(min(number, 1<<31-1))
	case 270:
		note := make([]byte, min(n, 16))
		where := int64(f.Order.Uint32(value))
		if f.Big {
			where = int64(f.Order.Uint64(value))
		}
		if n > uint64(len(value)) {
			if got, _ := r.ReadAt(note, where); got == len(note) {
				p.note = string(note)
			}
		}
	case 322:
		p.Tiled = true
	case 330:
		p.subs = true
	case 65420:
		p.ndpi = true
	}
}

// Pictures are the pages that are pictures of their own.
func (f File) Pictures() (own []Page) {
	for _, p := range f.Pages {
		if p.kind&(smaller|mask) == 0 && p.old != oldSmaller && !f.copies(p) {
			own = append(own, p)
		}
	}
	return own
}

// copies says whether a page is a smaller copy of the first one that does not say so: those in tiles are made to be
// looked at in windows, and most slide scanners set no mark on their levels and thumbnails.
func (f File) copies(p Page) bool {
	first := f.Pages[0]
	if !first.Tiled || p.At == first.At || p.W < 1 || p.H < 1 || p.W >= first.W || p.H >= first.H {
		return false
	}
	across, down := float64(first.W)/float64(p.W), float64(first.H)/float64(p.H)
	// The sides of a small copy are rounded by a pixel.
	within := 0.02 + 1/float64(min(p.W, p.H))
	return across >= 1.2 && across/down < 1+within && down/across < 1+within
}

// Slide says that a slide scanner made the file; it is to be looked at in windows, whatever its size.
func (f File) Slide() bool { return f.Pages[0].ndpi || strings.HasPrefix(f.Pages[0].note, "Aperio") }

// Foreign says that the slide is in a form of its scanner's own, which only its maker's and OpenSlide's programs read.
func (f File) Foreign() bool { return f.Pages[0].ndpi }

// Pyramid says that the first page is in tiles and has smaller copies.
func (f File) Pyramid() bool {
	first := f.Pages[0]
	return first.Tiled && (first.subs || slices.ContainsFunc(f.Pages, f.copies))
}
