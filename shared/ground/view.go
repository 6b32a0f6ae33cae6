package ground

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Source is what some cells of a view were taken from: one scene, under one light.
type Source struct {
	Name string
	Seen time.Time
}

// compare orders sources: by time, and of those seen at one time by name, so that the order is the same to
// everybody.
func (s Source) compare(o Source) int {
	return cmp.Or(s.Seen.Compare(o.Seen), strings.Compare(s.Name, o.Name))
}

// View is what is known of one block: of each cell the light in each band, and from where that is.
type View struct {
	Bands   int
	Sources []Source
	From    []byte // of each cell: 0 not seen, else one more than its place in Sources
	Cells   []byte // one plane of cells for each band; 0 where not seen
}

const (
	maxSources = 255
	maxName    = 512 // bytes
)

// NewView is a view of nothing.
func NewView(bands int) View {
	return View{Bands: bands, From: make([]byte, blockArea), Cells: make([]byte, bands*blockArea)}
}

// Empty says that no cell was seen.
func (v View) Empty() bool { return len(v.Sources) == 0 }

// Patch is what an overview saw of a block; false where that is nothing.
func (ov Overview) Patch(b Block, s Source) (View, bool) {
	v := NewView(ov.Bands)
	any := false
	ov.overlap(b, func(here, there, n int) {
		for i := range n {
			if ov.Cells[here+i] == 0 {
				continue
			}
			any = true
			v.From[there+i] = 1
			for band := range ov.Bands {
				v.Cells[band*blockArea+there+i] = ov.Cells[band*ov.W*ov.H+here+i]
			}
		}
	})
	if !any {
		return View{}, false
	}
	v.Sources = []Source{{Name: s.Name[:min(len(s.Name), maxName)], Seen: s.Seen.Round(0).UTC()}}
	return v, true
}

// Overlay is v with the cells that o saw in place of its own.
func (v View) Overlay(o View) View { return v.join(o, func(int, int) bool { return true }) }

// Merge is the newest of both, cell by cell. It does not matter in which order views are merged, or how often.
func (v View) Merge(o View) View {
	return v.join(o, func(mine, other int) bool {
		a, b := v.Sources[v.From[mine]-1], o.Sources[o.From[other]-1]
		if c := b.compare(a); c != 0 {
			return c > 0
		}
		for band := range v.Bands {
			if x, y := v.Cells[band*blockArea+mine], o.Cells[band*blockArea+other]; x != y {
				return y > x
			}
		}
		return false
	})
}

// join takes the cells of o that v lacks or that are better.
func (v View) join(o View, better func(mine, other int) bool) View {
	if v.Bands != o.Bands || v.Empty() {
		return o
	}
	if o.Empty() {
		return v
	}
	sources := append(slices.Clone(v.Sources), o.Sources...)
	from := make([]int, blockArea) // in sources, from 1 on
	out := View{Bands: v.Bands, From: make([]byte, blockArea), Cells: slices.Clone(v.Cells)}
	for cell := range blockArea {
		from[cell] = int(v.From[cell])
		if o.From[cell] != 0 && (v.From[cell] == 0 || better(cell, cell)) {
			from[cell] = len(v.Sources) + int(o.From[cell])
			for band := range v.Bands {
				out.Cells[band*blockArea+cell] = o.Cells[band*blockArea+cell]
			}
		}
	}
	out.number(from, sources)
	return out
}

// number writes From and Sources anew: the newest source first, each once, and none that has no cell. Beyond
// what can be numbered the oldest go, with their cells.
func (v *View) number(from []int, sources []Source) {
	used := map[Source]bool{}
	for _, f := range from {
		if f != 0 {
			used[sources[f-1]] = true
		}
	}
	v.Sources = nil
	for s := range used {
		v.Sources = append(v.Sources, s)
	}
	slices.SortFunc(v.Sources, func(a, b Source) int { return b.compare(a) })
	v.Sources = v.Sources[:min(len(v.Sources), maxSources)]
	place := map[Source]byte{}
	for i, s := range v.Sources {
		place[s] = byte(i + 1)
	}
	for cell, f := range from {
		v.From[cell] = 0
		if f != 0 {
			v.From[cell] = place[sources[f-1]]
		}
		if v.From[cell] == 0 {
			for band := range v.Bands {
				v.Cells[band*blockArea+cell] = 0
			}
		}
	}
}

// Without is v without the cells of sources that drop names.
func (v View) Without(drop func(Source) bool) View {
	if !slices.ContainsFunc(v.Sources, drop) {
		return v
	}
	from := make([]int, blockArea)
	for cell, f := range v.From {
		if f != 0 && !drop(v.Sources[f-1]) {
			from[cell] = int(f)
		}
	}
	out := View{Bands: v.Bands, From: make([]byte, blockArea), Cells: slices.Clone(v.Cells)}
	out.number(from, v.Sources)
	return out
}

// form begins what MarshalBinary writes. Behind it: bands, sources (each: when it was seen in Unix nanoseconds,
// the length of its name, the name), and compressed From and Cells, both as differences to the cell before.
const form = "CG1"

// MarshalBinary writes a view as it is kept and sent: some ten kilobytes.
func (v View) MarshalBinary() ([]byte, error) {
	if v.Bands < 1 || v.Bands > maxBands || len(v.Sources) > maxSources || len(v.From) != blockArea || len(v.Cells) != v.Bands*blockArea {
		return nil, fmt.Errorf("a view of %d bands and %d sources has no form", v.Bands, len(v.Sources))
	}
	b := bytes.NewBufferString(form)
	b.Write([]byte{byte(v.Bands), byte(len(v.Sources))})
	for _, s := range v.Sources {
		if len(s.Name) > maxName {
			return nil, fmt.Errorf("a view's source has a name of %d bytes, %d is the limit", len(s.Name), maxName)
		}
		var head [10]byte
		binary.BigEndian.PutUint64(head[:], uint64(s.Seen.UnixNano()))
		binary.BigEndian.PutUint16(head[8:], uint16(len(s.Name)))
		b.Write(head[:])
		b.WriteString(s.Name)
	}
	w := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	w.Reset(b)
	raw := append(slices.Clone(v.From), v.Cells...)
	for i := len(raw) - 1; i > 0; i-- {
		raw[i] -= raw[i-1]
	}
	_, err := w.Write(raw)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// writers are kept, for each takes a megabyte.
var writers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.DefaultCompression) // fails for an unknown level alone
	return w
}}

// ErrView is what is no view.
var ErrView = errors.New("these bytes are not the view of a block of ground")

// MaxViewBytes is more than a view has.
const MaxViewBytes = 256 << 10

// UnmarshalBinary reads what MarshalBinary wrote, and nothing larger than that can be.
func (v *View) UnmarshalBinary(data []byte) error {
	rest, ok := bytes.CutPrefix(data, []byte(form))
	if !ok || len(rest) < 2 || len(data) > MaxViewBytes {
		return ErrView
	}
	got := View{Bands: int(rest[0])}
	if got.Bands < 1 || got.Bands > maxBands {
		return ErrView
	}
	sources := int(rest[1])
	rest = rest[2:]
	for range sources {
		if len(rest) < 10 {
			return ErrView
		}
		n := int(binary.BigEndian.Uint16(rest[8:]))
		if n > maxName || n > len(rest)-10 {
			return ErrView
		}
		got.Sources = append(got.Sources, Source{Name: string(rest[10 : 10+n]), Seen: time.Unix(0, int64(binary.BigEndian.Uint64(rest))).UTC()})
		rest = rest[10+n:]
	}
	raw := make([]byte, (1+got.Bands)*blockArea)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(rest)), raw); err != nil {
		return fmt.Errorf("%w: %w", ErrView, err)
	}
	for i := 1; i < len(raw); i++ {
		raw[i] += raw[i-1]
	}
	got.From, got.Cells = raw[:blockArea:blockArea], raw[blockArea:]
	for cell, f := range got.From {
		if int(f) > sources {
			return ErrView
		}
		for band := range got.Bands {
			if (got.Cells[band*blockArea+cell] == 0) != (f == 0) {
				return ErrView
			}
		}
	}
	*v = got
	return nil
}
