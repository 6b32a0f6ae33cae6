package infer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"cloudcanvas/shared/vision"
)

// tag is an entry of a TIFF's page; more than one value, or a large one, lies behind the page.
type tag struct {
	id, kind uint16 // kind 3: 16 bits, 4: 32 bits
	values   []uint32
}

func short(id uint16, values ...uint32) tag { return tag{id, 3, values} }

// tiffOf writes a page of pixels in one strip, with these tags besides. A tag given replaces one that
// is written without being asked for.
func tiffOf(w, h int, pixels []byte, tags ...tag) []byte {
	le := binary.LittleEndian
	out := append([]byte("II*\x00"), 0, 0, 0, 0)
	strip := uint32(len(out))
	out = append(out, pixels...)
	page := []tag{}
	for _, t := range append([]tag{short(256, uint32(w)), short(257, uint32(h)), short(258, 8), short(259, 1), short(262, 1), {273, 4, []uint32{strip}}, short(277, 1),
		short(278, uint32(h)), {279, 4, []uint32{uint32(len(pixels))}}}, tags...) {
		i := 0
		for i < len(page) && page[i].id < t.id {
			i++
		}
		if i < len(page) && page[i].id == t.id {
			page[i] = t
			continue
		}
		page = append(page[:i], append([]tag{t}, page[i:]...)...)
	}
	le.PutUint32(out[4:], uint32(len(out)))
	behind := uint32(len(out) + 2 + 12*len(page) + 4)
	var far []byte
	out = le.AppendUint16(out, uint16(len(page)))
	for _, t := range page {
		out = le.AppendUint32(le.AppendUint16(le.AppendUint16(out, t.id), t.kind), uint32(len(t.values)))
		var v []byte
		for _, n := range t.values {
			if t.kind == 3 {
				v = le.AppendUint16(v, uint16(n))
			} else {
				v = le.AppendUint32(v, n)
			}
		}
		if len(v) > 4 {
			out, far = le.AppendUint32(out, behind+uint32(len(far))), append(far, v...)
		} else {
			out = append(append(out, v...), make([]byte, 4-len(v))...)
		}
	}
	return append(append(out, 0, 0, 0, 0), far...)
}

// encoded is a picture in a format that OpenCV writes without loss.
func encoded(t testing.TB, ending string, im vision.Image, params ...int) []byte {
	t.Helper()
	if params == nil {
		params = []int{gocv.IMWriteJpegQuality, 95} // for those that have it
	}
	data, err := encode(im, gocv.FileExt(ending), params)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPicturesOfOtherKindsComeBackFromTheirFiles(t *testing.T) {
	im := gradient(60, 40)
	for name, data := range map[string][]byte{
		"BMP": encoded(t, ".bmp", im), "TIFF": encoded(t, ".tiff", im), "WebP": encoded(t, ".webp", im, gocv.IMWriteWebpQuality, 101), "PNG": encoded(t, ".png", im),
	} {
		back, notes, err := DecodePicture(data, 60*40)
		if err != nil || back.W != 60 || back.H != 40 || !bytes.Equal(back.Pix, im.Pix) || notes != (vision.Notes{}) {
			t.Errorf("%s: %dx%d, %+v, %v", name, back.W, back.H, notes, err)
		}
		if _, _, err := DecodePicture(data, 60*40-1); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), "60x40") {
			t.Errorf("%s beyond the limit: %v", name, err)
		}
		if n, err := PictureBytes(data); err != nil || n < 60*40*6 || n > 60*40*20+int64(len(data)) {
			t.Errorf("%s takes %d bytes, %v", name, n, err)
		}
		if _, _, err := DecodePicture(data[:len(data)/3], 60*40); name != "BMP" && name != "TIFF" && !errors.Is(err, ErrImage) {
			t.Errorf("%s cut short: %v", name, err)
		}
	}
}

// words are 16-bit samples as a TIFF has them.
func words(samples ...uint16) (out []byte) {
	for _, s := range samples {
		out = binary.LittleEndian.AppendUint16(out, s)
	}
	return out
}

func TestOfSixteenBitsThoseThatCountBecomeEight(t *testing.T) {
	for _, c := range []struct {
		name    string
		samples []uint16
		tags    []tag
		want    []byte
		assumed string
	}{
		{"all", []uint16{0, 0x8000, 0xFFFF, 0x100}, nil, []byte{0, 0x80, 0xFF, 1}, ""},
		{"twelve by the brightest", []uint16{0, 0x800, 0xFFF, 0x10}, nil, []byte{0, 0x80, 0xFF, 1}, "12 bits in 16 count, by the brightest sample"},
		{"twelve as said", []uint16{0, 0x80, 0xFF, 0x10}, []tag{short(281, 4095)}, []byte{0, 8, 15, 1}, "12 bits in 16 count, as the file says"},
		{"more than said", []uint16{0, 0x8000, 0xFFFF, 0x100}, []tag{short(281, 4095)}, []byte{0, 0x80, 0xFF, 1}, "the file says 12, but its samples are larger"},
		{"eight", []uint16{0, 0x80, 0xFF, 1}, nil, []byte{0, 0x80, 0xFF, 1}, "8 bits in 16 count, by the brightest"},
	} {
		im, notes, err := DecodePicture(tiffOf(2, 2, words(c.samples...), append(c.tags, short(258, 16))...), 100)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for i, want := range c.want {
			if im.Pix[3*i] != want || im.Pix[3*i+2] != want {
				t.Errorf("%s: %v, want %v", c.name, im.Pix, c.want)
				break
			}
		}
		if notes.Left != "" || notes.Assumed == "" != (c.assumed == "") || !strings.Contains(notes.Assumed, c.assumed) {
			t.Errorf("%s: %+v", c.name, notes)
		}
	}
	deep := image.NewGray16(image.Rect(0, 0, 2, 1))
	deep.SetGray16(1, 0, color.Gray16{Y: 0xFFF})
	var b bytes.Buffer
	if err := png.Encode(&b, deep); err != nil {
		t.Fatal(err)
	}
	im, notes, err := DecodePicture(b.Bytes(), 100)
	if err != nil || im.Pix[3] != 0xFF || !strings.Contains(notes.Assumed, "12 bits") {
		t.Errorf("PNG: %v, %+v, %v", im.Pix, notes, err)
	}
}

func TestATIFFIsReadAsItIsMeant(t *testing.T) {
	grey := []byte{10, 20, 30, 40, 50, 60}
	im, _, err := DecodePicture(tiffOf(3, 2, grey, short(274, 6)), 100)
	if err != nil || im.W != 2 || im.H != 3 || im.Pix[0] != 40 || im.Pix[3] != 10 {
		t.Errorf("turned: %+v, %v", im, err)
	}
	palette := make([]uint32, 3*256)
	palette[10], palette[256+20], palette[512+30] = 0xFFFF, 0xFFFF, 0xFFFF
	im, _, err = DecodePicture(tiffOf(3, 2, grey, short(262, 3), tag{320, 3, palette}), 100)
	if err != nil || !bytes.Equal(im.Pix[:9], []byte{0, 0, 255, 0, 255, 0, 255, 0, 0}) {
		t.Errorf("palette: %+v, %v", im, err)
	}
	im, _, err = DecodePicture(tiffOf(3, 2, grey, short(262, 0)), 100)
	if err != nil || im.Pix[0] != 245 {
		t.Errorf("white is zero: %+v, %v", im, err)
	}
	im, _, err = DecodePicture(tiffOf(1, 1, []byte{1, 2, 3}, short(258, 8, 8, 8), short(262, 2), short(277, 3)), 100)
	if err != nil || !bytes.Equal(im.Pix, []byte{3, 2, 1}) {
		t.Errorf("colour: %+v, %v", im, err)
	}
	im, _, err = DecodePicture(tiffOf(8, 1, []byte{0xA0}, short(258, 1)), 100)
	if err != nil || im.W != 8 || im.Pix[0] != 255 || im.Pix[3] != 0 || im.Pix[6] != 255 {
		t.Errorf("one bit: %+v, %v", im, err)
	}
	im, _, err = DecodePicture(tiffOf(1, 1, words(0x1100, 0x2200, 0xF300, 0xFFFF), short(258, 16, 16, 16, 16), short(262, 2), short(277, 4), short(338, 2)), 100)
	if err != nil || !bytes.Equal(im.Pix, []byte{0xF3, 0x22, 0x11}) {
		t.Errorf("16 bits with transparency: %+v, %v", im, err)
	}
}

func TestABMPWithAPaletteIsReadFromItsBottom(t *testing.T) {
	le := binary.LittleEndian
	data := append([]byte("BM"), make([]byte, 12)...)
	le.PutUint32(data[10:], 14+40+2*4)
	head := make([]byte, 40)
	le.PutUint32(head, 40)
	le.PutUint32(head[4:], 1)                                         // wide
	le.PutUint32(head[8:], 2)                                         // high
	le.PutUint16(head[12:], 1)                                        // plane
	le.PutUint16(head[14:], 8)                                        // bits
	le.PutUint32(head[32:], 2)                                        // colours
	data = append(append(data, head...), 1, 2, 3, 0, 200, 100, 50, 0) // colours: blue, green, red
	data = append(data, 0, 0, 0, 0, 1, 0, 0, 0)                       // rows of four bytes
	im, _, err := DecodePicture(data, 100)
	if err != nil || !bytes.Equal(im.Pix, []byte{200, 100, 50, 1, 2, 3}) {
		t.Errorf("%+v, %v", im, err)
	}
}

func TestATIFFThatIsNoPictureIsRefusedInWords(t *testing.T) {
	four := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"floats":       {tiffOf(1, 1, four, short(258, 32), short(339, 3)), "give it as a scene"},
		"two bands":    {tiffOf(2, 2, four, short(258, 8, 8), short(277, 2)), "give it as a scene"},
		"infrared":     {tiffOf(1, 1, four, short(258, 16, 16, 16, 16), short(262, 2), short(277, 4)), "fourth is transparency"},
		"lab":          {tiffOf(1, 1, four, short(258, 8, 8, 8), short(262, 8), short(277, 3)), "CIE L*a*b*"},
		"planes":       {tiffOf(1, 1, four, short(258, 16, 16, 16), short(262, 2), short(277, 3), short(284, 2)), "16 bits, in 2 planes"},
		"inverted":     {tiffOf(2, 2, four, short(258, 16), short(262, 0)), "write it as PNG"},
		"packed":       {tiffOf(2, 1, four, short(258, 12)), "packed in 12 bits"},
		"preview":      {tiffOf(1, 1, four, short(254, 1)), "raw file"},
		"large strips": {tiffOf(2, 2, four, tag{278, 4, []uint32{1 << 30}}), "over the limit"},
		"no size":      {tiffOf(0, 0, four), "0 x 0 pixels"},
	} {
		if _, _, err := DecodePicture(c.data, 1<<20); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTransparencyDoesNotDarkenColours(t *testing.T) {
	for name, data := range map[string][]byte{
		"colours": tiffOf(1, 1, []byte{10, 20, 200, 5}, short(258, 8, 8, 8, 8), short(262, 2), short(277, 4), short(338, 2)),
		"grey":    tiffOf(1, 1, []byte{200, 5}, short(258, 8, 8), short(277, 2), short(338, 2)),
	} {
		before := bytes.Clone(data)
		im, _, err := DecodePicture(data, 100)
		if err != nil || im.Pix[0] != 200 {
			t.Errorf("%s: %v, %v", name, im.Pix, err)
		}
		if !bytes.Equal(data, before) {
			t.Errorf("%s: the file was written to", name)
		}
	}
}

func TestAPNGThatMovesIsTakenInPart(t *testing.T) {
	still := encoded(t, ".png", gradient(4, 4))
	chunk := append([]byte{0, 0, 0, 8}, "acTL\x00\x00\x00\x02\x00\x00\x00\x00"...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	const head = 8 + 25
	if _, notes, err := DecodePicture(still, 16); err != nil || notes != (vision.Notes{}) {
		t.Errorf("%+v, %v", notes, err)
	}
	if _, notes, err := DecodePicture(slices.Concat(still[:head], chunk, still[head:]), 16); err != nil || notes.Left != moves {
		t.Errorf("%+v, %v", notes, err)
	}
}

func TestWhatIsNotReadSaysWhatToDo(t *testing.T) {
	for data, want := range map[string]string{
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic": "HEIC",
		"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif": "AVIF",
		"GIF89a":               "GIF",
		"\xFF\xD8\xFF\xF7\x00": "it is no JPEG or PNG that can be read",
		"":                     "is the file whole?",
	} {
		if _, _, err := DecodePicture([]byte(data), 1<<20); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", data, err)
		} else if strings.Contains(err.Error(), ErrImage.Error()) {
			t.Errorf("%.20q has nothing to do with a network: %v", data, err)
		}
		if _, err := PictureBytes([]byte(data)); !errors.Is(err, ErrImage) {
			t.Errorf("%.20q: %v", data, err)
		}
	}
}

func FuzzDecodePicture(f *testing.F) {
	im := gradient(16, 16)
	f.Add(encoded(f, ".bmp", im))
	f.Add(encoded(f, ".webp", im))
	f.Add(encoded(f, ".tiff", im))
	f.Add(tiffOf(2, 2, words(1, 2, 3, 4), short(258, 16), short(281, 4095)))
	f.Add(encoded(f, ".jpg", im))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := PictureBytes(data); err == nil && n < 6 {
			t.Fatalf("%d bytes", n)
		}
		im, _, err := DecodePicture(data, 1<<16)
		if err == nil && (len(im.Pix) != im.W*im.H*3 || im.W*im.H > 1<<16) {
			t.Fatalf("%d bytes for %dx%d", len(im.Pix), im.W, im.H)
		}
	})
}
