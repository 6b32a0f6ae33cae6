package dicom

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"slices"
	"testing"
)

// packed are segments of run lengths with their table.
func packed(segments ...[]byte) []byte {
	head := make([]byte, 64)
	binary.LittleEndian.PutUint32(head, uint32(len(segments)))
	var body []byte
	for i, s := range segments {
		binary.LittleEndian.PutUint32(head[4+4*i:], uint32(64+len(body)))
		body = append(body, s...)
	}
	return append(head, body...)
}

func compressed(parts ...[]byte) func([]byte) []byte {
	return func(out []byte) []byte { return little.open(out, 0x7FE00010, "OB", parts...) }
}

func TestRunLengthsAreRead(t *testing.T) {
	// Four values of 16 bits, 0x0102 0x0103 0x0104 0x0104: upper bytes in a run, lower ones as they are and in a run.
	data := little.file(runLengths, 4, 1, 16, false, nil, compressed(nil, packed([]byte{0xFD, 1}, []byte{1, 2, 3, 0x80, 0xFF, 4})))
	r, _, err := parsed(t, data).values(0, nil)
	if err != nil || !slices.Equal(r.Values, []int32{0x102, 0x103, 0x104, 0x104}) {
		t.Errorf("%v, %v", r.Values, err)
	}
	for name, bad := range map[string][]byte{"short": packed([]byte{0xFD, 1}, []byte{1, 2}), "long": packed([]byte{0xF0, 1}, []byte{3, 2, 3, 4, 5}), "one": packed([]byte{0xFD, 1}), "none": nil} {
		if _, _, err := parsed(t, little.file(runLengths, 4, 1, 16, false, nil, compressed(nil, bad))).values(0, nil); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// writer writes bits of a JPEG.
type writer struct {
	out  []byte
	bits uint32
	n    int
}

func (w *writer) put(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		w.bits = w.bits<<1 | v>>i&1
		if w.n++; w.n == 8 {
			if w.out = append(w.out, byte(w.bits)); byte(w.bits) == 0xFF {
				w.out = append(w.out, 0)
			}
			w.n, w.bits = 0, 0
		}
	}
}

// losslessOf writes values with this predictor; a size of difference takes a code of five bits.
func losslessOf(w, h, precision int, predictor byte, values []int32) []byte {
	out := []byte{0xFF, 0xD8, 0xFF, 0xC3, 0, 11, byte(precision), byte(h >> 8), byte(h), byte(w >> 8), byte(w), 1, 1, 0x11, 0}
	counts := make([]byte, 16)
	counts[4] = 17
	out = append(append(out, 0xFF, 0xC4, 0, 2+17+17, 0), counts...)
	for size := range byte(17) {
		out = append(out, size)
	}
	out = append(out, 0xFF, 0xDA, 0, 8, 1, 1, 0, predictor, 0, 0)
	bits := writer{out: out}
	for y := range h {
		for x := range w {
			at := y*w + x
			p := int32(1) << (precision - 1)
			switch {
			case at == 0:
			case y == 0:
				p = values[at-1]
			case x == 0:
				p = values[at-w]
			default:
				p = predict(predictor, values[at-1], values[at-w], values[at-w-1])
			}
			d, size := int32(int16(values[at]-p)), 0
			for v := max(d, -d); v > 0; v >>= 1 {
				size++
			}
			bits.put(uint32(size), 5)
			switch {
			case size == 16:
			case d < 0:
				bits.put(uint32(d+1<<size-1), size)
			default:
				bits.put(uint32(d), size)
			}
		}
	}
	bits.put(0x7F, 7)
	return append(bits.out, 0xFF, 0xD9)
}

func TestLosslessJPEGsOfEveryPredictorAreRead(t *testing.T) {
	const w, h = 9, 7
	values := make([]int32, w*h)
	for i := range values {
		values[i] = int32(i*i*2654435761>>3) & 0xFFFF
	}
	values[3], values[4] = 0, 0x8000 // a difference of 16 bits
	for predictor := byte(1); predictor <= 7; predictor++ {
		whole := losslessOf(w, h, 16, predictor, values)
		// In two fragments, as longer ones may be.
		data := little.file(jpegs+"57", w, h, 16, false, nil, compressed(nil, whole[:50], whole[50:]))
		r, _, err := parsed(t, data).values(0, nil)
		if err != nil || !slices.Equal(r.Values, values) {
			t.Errorf("predictor %d: %v, %v", predictor, r.Values, err)
		}
		if _, _, err := parsed(t, little.file(jpegs+"70", w, h, 16, false, nil, compressed(nil, whole[:len(whole)-20]))).values(0, nil); err == nil {
			t.Errorf("predictor %d: half of it was read", predictor)
		}
	}
	r, _, err := parsed(t, little.file(jpegs+"70", 2, 1, 12, true, nil, compressed(nil, losslessOf(2, 1, 12, 1, []int32{0xFFF, 5})))).values(0, nil)
	if err != nil || !slices.Equal(r.Values, []int32{-1, 5}) {
		t.Errorf("signed: %v, %v", r.Values, err)
	}
}

func TestACodestreamIsTakenOutOfItsFile(t *testing.T) {
	for name, c := range map[string][2]string{
		"boxes":  {"\x00\x00\x00\x0CjP  \r\n\x87\n\x00\x00\x00\x0Cjp2c\xFF\x4F\xFF\x51", "\xFF\x4F\xFF\x51"},
		"to end": {"\x00\x00\x00\x00jp2c\xFF\x4F\xFF\x51", "\xFF\x4F\xFF\x51"},
		"plain":  {"\xFF\x4F\xFF\x51 and more", "\xFF\x4F\xFF\x51 and more"},
		"broken": {"\x00\x00\x00\x03jP  \r\n\x87\n", "\x00\x00\x00\x03jP  \r\n\x87\n"},
	} {
		if got := unboxed([]byte(c[0])); string(got) != c[1] {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzLossless(f *testing.F) {
	f.Add(losslessOf(3, 2, 8, 4, []int32{1, 2, 3, 4, 5, 6}))
	f.Fuzz(func(_ *testing.T, data []byte) {
		lossless(data, &Raw{W: 3, H: 2, Samples: 1})
	})
}

func TestFramesOfJPEGsAreFoundWithAndWithoutATable(t *testing.T) {
	var frames [][]byte
	for i := range 3 {
		im := image.NewGray(image.Rect(0, 0, 16, 8))
		for k := range im.Pix {
			im.Pix[k] = byte(50 * (i + 1))
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, im, nil); err != nil {
			t.Fatal(err)
		}
		if b.Len()%2 == 1 {
			b.WriteByte(0)
		}
		frames = append(frames, b.Bytes())
	}
	half := len(frames[0]) / 4 * 2
	halves := [][]byte{frames[0][:half], frames[0][half:], frames[1], frames[2]}
	var table []byte
	for _, at := range []int{0, 16 + len(frames[0]), 24 + len(frames[0]) + len(frames[1])} {
		table = binary.LittleEndian.AppendUint32(table, uint32(at))
	}
	three := words(little, 0x00280008, "IS", "3")
	for name, pixels := range map[string]func([]byte) []byte{
		"one each": compressed(append([][]byte{nil}, frames...)...),
		"table":    compressed(append([][]byte{table}, halves...)...),
		"no table": compressed(append([][]byte{nil}, halves...)...),
	} {
		f := parsed(t, little.file(jpegs+"50", 16, 8, 8, false, three, pixels))
		for i := range 3 {
			if got, _ := greys(t, f, i); got[0] != byte(50*(i+1)) {
				t.Errorf("%s: frame %d is %d", name, i+1, got[0])
			}
		}
	}
	f := parsed(t, little.file(jpegs+"50", 15, 8, 8, false, three, compressed(append([][]byte{nil}, frames...)...)))
	if _, _, err := f.Picture(0, nil); err == nil {
		t.Error("a JPEG of another size than the file says was read")
	}
}
