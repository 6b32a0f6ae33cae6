package album

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"cloudcanvas/shared/vision"
)

// page is one of a TIFF that a test makes: grey, of one value, in one strip or one tile.
type page struct {
	w, h  int
	value byte
	kind  uint32 // NewSubfileType
	tiled bool
	note  string // ImageDescription
}

func tiffOf(o interface {
	binary.ByteOrder
	binary.AppendByteOrder
}, pages ...page) []byte {
	out := []byte("II*\x00\x00\x00\x00\x00")
	if o.String() == binary.BigEndian.String() {
		out = []byte("MM\x00*\x00\x00\x00\x00")
	}
	link := 4
	for _, p := range pages {
		w, h := p.w, p.h
		if p.tiled {
			w, h = 64, 64
		}
		note, pixels := len(out), len(out)+len(p.note)+1
		out = append(append(out, p.note...), 0)
		for range w * h {
			out = append(out, p.value)
		}
		out = append(out, make([]byte, len(out)%2)...)
		type entry struct {
			tag, kind    uint16
			count, value uint32
		}
		entries := []entry{{254, 4, 1, p.kind}, {256, 4, 1, uint32(p.w)}, {257, 4, 1, uint32(p.h)}, {258, 3, 1, 8}, {259, 3, 1, 1}, {262, 3, 1, 1}}
		if len(p.note) > 3 {
			entries = append(entries, entry{270, 2, uint32(len(p.note) + 1), uint32(note)})
		}
		if p.tiled {
			entries = append(entries, entry{277, 3, 1, 1}, entry{322, 3, 1, uint32(w)}, entry{323, 3, 1, uint32(h)}, entry{324, 4, 1, uint32(pixels)}, entry{325, 4, 1, uint32(w * h)})
		} else {
			entries = append(entries, entry{273, 4, 1, uint32(pixels)}, entry{277, 3, 1, 1}, entry{278, 4, 1, uint32(h)}, entry{279, 4, 1, uint32(w * h)})
		}
		o.PutUint32(out[link:], uint32(len(out)))
		out = o.AppendUint16(out, uint16(len(entries)))
		for _, e := range entries {
			out = o.AppendUint32(o.AppendUint16(o.AppendUint16(out, e.tag), e.kind), e.count)
			if e.kind == 3 {
				out = append(o.AppendUint16(out, uint16(e.value)), 0, 0)
			} else {
				out = o.AppendUint32(out, e.value)
			}
		}
		link = len(out)
		out = append(out, 0, 0, 0, 0)
	}
	return out
}

// taken are the pictures of a file: name, size and first grey value of each.
func taken(t testing.TB, data []byte, maxPixels int) (all []string, left string, err error) {
	t.Helper()
	a, err := Open(t.Context(), data, maxPixels)
	if err != nil {
		return nil, "", err
	}
	defer a.Close()
	for i := range a.Count() {
		im, notes, err := a.Picture(t.Context(), i)
		if err != nil {
			return all, a.Skipped(), err
		}
		if notes != (vision.Notes{}) || a.Bytes(i) < int64(6*im.W*im.H) {
			t.Errorf("picture %d: %+v, %d bytes", i, notes, a.Bytes(i))
		}
		all = append(all, fmt.Sprintf("%s:%dx%d:%d", a.Name("x", i), im.W, im.H, im.Pix[0]))
	}
	return all, a.Skipped(), nil
}

func TestEachPageOfATIFFIsAPictureAndCopiesOfItAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		pages []page
		want  string
	}{
		"one":             {[]page{{w: 5, h: 4, value: 9}}, "x:5x4:9"},
		"three":           {[]page{{w: 5, h: 4, value: 9}, {w: 10, h: 8, value: 8}, {w: 3, h: 3, value: 7}}, "x#1:5x4:9 x#2:10x8:8 x#3:3x3:7"},
		"smaller copies":  {[]page{{w: 20, h: 16, value: 9}, {w: 10, h: 8, value: 8, kind: 1}, {w: 20, h: 16, value: 1, kind: 4}}, "x:20x16:9"},
		"thumbnail first": {[]page{{w: 10, h: 8, value: 8, kind: 1}, {w: 20, h: 16, value: 9}}, "x:20x16:9"},
		"unmarked copies": {[]page{{w: 40, h: 30, value: 9, tiled: true}, {w: 13, h: 10, value: 8}, {w: 20, h: 15, value: 7, tiled: true}}, "x:40x30:9"},
		"another beside":  {[]page{{w: 40, h: 30, value: 9, tiled: true}, {w: 20, h: 20, value: 8, tiled: true}}, "x#1:40x30:9 x#2:20x20:8"},
	} {
		for _, o := range []interface {
			binary.ByteOrder
			binary.AppendByteOrder
		}{binary.LittleEndian, binary.BigEndian} {
			got, left, err := taken(t, tiffOf(o, c.pages...), 1e4)
			if err != nil || strings.Join(got, " ") != c.want || left != "" {
				t.Errorf("%s: %v, %q, %v", name, got, left, err)
			}
		}
	}
}

func TestPagesThatAreNotThereOrTooManyAreReported(t *testing.T) {
	le := binary.LittleEndian
	broken := tiffOf(le, page{w: 5, h: 4, value: 9}, page{w: 5, h: 4, value: 8})
	le.PutUint32(broken[len(broken)-4:], 1<<30)
	got, left, err := taken(t, broken, 1e4)
	if err != nil || len(got) != 2 || !strings.Contains(left, "can't be found") {
		t.Errorf("%v, %q, %v", got, left, err)
	}
	round := tiffOf(le, page{w: 5, h: 4, value: 9}, page{w: 5, h: 4, value: 8})
	le.PutUint32(round[len(round)-4:], le.Uint32(round[4:]))
	if got, left, err := taken(t, round, 1e4); err != nil || len(got) != 2 || left != "" {
		t.Errorf("a chain that goes round: %v, %q, %v", got, left, err)
	}
	many := make([]page, MostPictures+1)
	for i := range many {
		many[i] = page{w: 1, h: 1}
	}
	a, err := Open(t.Context(), tiffOf(le, many...), 1e4)
	if err != nil || a.Count() != MostPictures || a.Skipped() != "only the first 4096 of its 4097 pages are taken" {
		t.Errorf("%v", err)
	}
}

func TestSlidesAndLargePyramidsAreSentToTheWindows(t *testing.T) {
	pyramid := []page{{w: 64, h: 48, tiled: true}, {w: 32, h: 24, tiled: true}}
	slide := []page{{w: 64, h: 48, tiled: true, note: "Aperio Image Library v11"}, {w: 32, h: 24}, {w: 16, h: 12, tiled: true}, {w: 20, h: 20, kind: 1}}
	for name, c := range map[string]struct {
		pages  []page
		pixels int
		want   string
	}{
		"large":    {pyramid, 1000, "64 x 48 pixels, in tiles and with smaller copies"},
		"slide":    {slide, 1e6, "canvas detect --scene"},
		"one page": {[]page{{w: 64, h: 48}}, 1000, "64 x 48 pixels, which is not taken as one picture"},
	} {
		if _, err := Open(t.Context(), tiffOf(binary.LittleEndian, c.pages...), c.pixels); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "canvas detect --scene") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, left, err := taken(t, tiffOf(binary.LittleEndian, pyramid...), 1e6); err != nil || strings.Join(got, " ") != "x:64x48:0" || left != "" {
		t.Errorf("a small pyramid: %v, %q, %v", got, left, err)
	}
}
