package dicom

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// window is 100 to 300 and a little, PS3.3 C.11.2.1.2: 50 to 150 after rescaling by 0.5.
var window = []struct {
	tag   uint32
	value string
}{{0x00281050, `100.5\40`}, {0x00281051, `101\400 `}, {0x00281052, "0"}, {0x00281053, "0.5"}}

func windowed(m maker) func([]byte) []byte {
	return func(out []byte) []byte {
		for _, e := range window {
			out = m.element(out, e.tag, "DS", []byte(e.value))
		}
		return out
	}
}

func TestGreyValuesAreShownThroughTheWindowInEveryEncoding(t *testing.T) {
	big, plain := maker{order: binary.BigEndian}, maker{order: binary.LittleEndian, implicit: true}
	values := []uint16{0, 100, 200, 240, 300, 4095}
	want := []byte{0, 0, 128, 179, 255, 255}
	shrunk := func(data []byte) []byte {
		head := len(begin(deflated))
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 6)
		w.Write(data[head:])
		w.Close()
		return append(slices.Clone(data[:head]), b.Bytes()...)
	}
	for name, data := range map[string][]byte{
		"explicit": little.file(explicitLittle, 3, 2, 12, false, windowed(little), little.native(values...)),
		"implicit": plain.file(implicitLittle, 3, 2, 12, false, windowed(plain), plain.native(values...)),
		"big":      big.file(explicitBig, 3, 2, 12, false, windowed(big), big.native(values...)),
		"deflated": shrunk(little.file(deflated, 3, 2, 12, false, windowed(little), little.native(values...))),
	} {
		got, assumed := greys(t, parsed(t, data), 0)
		if !bytes.Equal(got, want) || assumed != "the first of its 2 windows is shown" {
			t.Errorf("%s: %v, %q", name, got, assumed)
		}
	}
}

func TestGreyValuesOfOtherKinds(t *testing.T) {
	for name, c := range map[string]struct {
		bits    int
		signed  bool
		more    func([]byte) []byte
		values  []uint16
		want    []byte
		assumed string
	}{
		"inverted":         {12, false, all(words(little, 0x00280004, "CS", "MONOCHROME1"), windowed(little)), []uint16{0, 4095}, []byte{255, 0}, "first of"},
		"signed":           {12, true, all(words(little, 0x00281050, "DS", "0"), words(little, 0x00281051, "DS", "201")), []uint16{0xF9C, 100}, []byte{1, 255}, ""},
		"no window":        {12, false, nil, []uint16{100, 300, 200, 500}, []byte{0, 128, 64, 255}, "least to the largest"},
		"padding":          {16, true, func(out []byte) []byte { return little.element(out, 0x00280120, "SS", []byte{0x30, 0xF8}) }, []uint16{0xF830, 0, 10}, []byte{0, 0, 255}, "least to the largest"},
		"brightness table": {12, false, func(out []byte) []byte { return little.open(out, 0x00283010, "SQ", nil) }, []uint16{0, 8}, []byte{0, 255}, "tables of brightness"},
		"table of values":  {12, false, all(windowed(little), func(out []byte) []byte { return little.open(out, 0x00283000, "SQ", nil) }), []uint16{0, 8}, []byte{0, 255}, "tables of brightness"},
		"exact":            {12, false, all(words(little, 0x00281050, "DS", "50"), words(little, 0x00281051, "DS", "100"), words(little, 0x00281056, "CS", "LINEAR_EXACT")), []uint16{0, 100, 50}, []byte{0, 255, 128}, ""},
		"sigmoid":          {12, false, all(words(little, 0x00281050, "DS", "50"), words(little, 0x00281051, "DS", "100"), words(little, 0x00281056, "CS", "SIGMOID")), []uint16{0, 100, 50}, []byte{30, 225, 128}, ""},
	} {
		got, assumed := greys(t, parsed(t, little.file(explicitLittle, len(c.values), 1, c.bits, c.signed, c.more, little.native(c.values...))), 0)
		if !bytes.Equal(got, c.want) || !strings.Contains(assumed, c.assumed) || c.assumed == "" && assumed != "" {
			t.Errorf("%s: %v, want %v; %q", name, got, c.want, assumed)
		}
	}
}

func TestValuesOf32BitsHaveNoSignUnlessTheyAreSaidTo(t *testing.T) {
	data := little.file(explicitLittle, 3, 1, 32, false, nil, little.native(0, 0, 0, 0x8000, 0xFFFF, 0xFFFF))
	if got, _ := greys(t, parsed(t, data), 0); !bytes.Equal(got, []byte{0, 128, 255}) {
		t.Errorf("%v", got)
	}
}

func TestFramesOfEnhancedFilesHaveWindowsAndSpacingOfTheirOwn(t *testing.T) {
	group := func(tag uint32, inner []byte) []byte { return little.open(nil, tag, "SQ", inner) }
	own := func(centre string) []byte {
		return group(0x00289132, windowOf(centre))
	}
	shared := append(group(0x00289110, little.element(nil, 0x00280030, "DS", []byte(`0.7\0.6`))),
		group(0x00289145, little.element(little.element(nil, 0x00281052, "DS", []byte("-10")), 0x00281053, "DS", []byte("1 ")))...)
	data := little.file(explicitLittle, 2, 1, 12, false, all(
		words(little, 0x00280008, "IS", "2"),
		func(out []byte) []byte { return little.open(out, 0x52009229, "SQ", shared) },
		func(out []byte) []byte { return little.open(out, 0x52009230, "SQ", own("60.5"), own("1060.5")) },
	), little.native(20, 120, 20, 1120))
	f := parsed(t, data)
	for i, want := range [][]byte{{0, 255}, {0, 255}} {
		if got, assumed := greys(t, f, i); !bytes.Equal(got, want) || assumed != "" {
			t.Errorf("frame %d: %v, %q", i+1, got, assumed)
		}
	}
	if f.Spacing != [2]float64{0.6, 0.7} || f.AtDetector || f.Frames != 2 {
		t.Errorf("%+v", f.Spacing)
	}
}

func windowOf(centre string) []byte {
	return little.element(little.element(nil, 0x00281050, "DS", []byte(centre)), 0x00281051, "DS", []byte("101"))
}

func TestColoursComeAsBlueGreenRed(t *testing.T) {
	three := func(photometric string, planar uint16) func([]byte) []byte {
		return all(func(out []byte) []byte { return little.short(out, 0x00280002, 3) }, words(little, 0x00280004, "CS", photometric),
			func(out []byte) []byte { return little.short(out, 0x00280006, planar) })
	}
	table := func(out []byte) []byte {
		out = words(little, 0x00280004, "CS", "PALETTE COLOR")(out)
		for c := range uint32(3) {
			out = little.element(out, 0x00281101+c, "US", []byte{2, 0, 7, 0, 16, 0})
			out = little.element(out, 0x00281201+c, "OW", []byte{0, byte(10 * (c + 1)), 0, byte(100 + c)})
		}
		return out
	}
	big := maker{order: binary.BigEndian}
	bytesOf := func(b ...byte) func([]byte) []byte {
		return func(out []byte) []byte { return little.element(out, 0x7FE00010, "OB", b) }
	}
	for name, c := range map[string]struct {
		data []byte
		want []byte
	}{
		"by pixel":     {little.file(explicitLittle, 2, 1, 8, false, three("RGB", 0), bytesOf(1, 2, 3, 4, 5, 6)), []byte{3, 2, 1, 6, 5, 4}},
		"by colour":    {little.file(explicitLittle, 2, 1, 8, false, three("RGB", 1), bytesOf(1, 4, 2, 5, 3, 6)), []byte{3, 2, 1, 6, 5, 4}},
		"full":         {little.file(explicitLittle, 2, 1, 8, false, three("YBR_FULL", 0), bytesOf(76, 85, 255, 100, 128, 128)), []byte{0, 0, 254, 100, 100, 100}},
		"halved":       {little.file(explicitLittle, 2, 1, 8, false, three("YBR_FULL_422", 0), bytesOf(100, 50, 128, 128)), []byte{100, 100, 100, 50, 50, 50}},
		"turned round": {big.file(explicitBig, 3, 1, 8, false, nil, func(out []byte) []byte { return big.element(out, 0x7FE00010, "OW", []byte{2, 1, 0, 3}) }), []byte{1, 1, 1, 2, 2, 2, 3, 3, 3}},
		"by palette":   {little.file(explicitLittle, 4, 1, 8, false, table, bytesOf(6, 7, 8, 9)), []byte{30, 20, 10, 30, 20, 10, 102, 101, 100, 102, 101, 100}},
	} {
		im, _, err := parsed(t, c.data).Picture(0, nil)
		if err != nil || !bytes.Equal(im.Pix, c.want) {
			t.Errorf("%s: %v, want %v; %v", name, im.Pix, c.want, err)
		}
	}
}

func TestWhatIsNoPictureOrShowsThePersonIsRefusedWithWhatToDo(t *testing.T) {
	file := func(more func([]byte) []byte) []byte {
		return little.file(explicitLittle, 2, 1, 16, false, more, little.native(1, 2))
	}
	none := func(out []byte) []byte { return out }
	slide := little.element(append(make([]byte, 128), "DICM"...), 0x00020002, "UI", []byte(slideClass))
	slide = append(slide, file(nil)[132:]...)
	for want, data := range map[string][]byte{
		"no DICOM file":           []byte("DICM"),
		"drawn into its pixels":   file(words(little, 0x00280301, "CS", "YES")),
		"canvas detect --scene":   slide,
		"no picture":              little.file(explicitLittle, 2, 1, 16, false, nil, none),
		"a frame needs":           little.file(explicitLittle, 2, 2, 16, false, nil, little.native(1, 2)),
		"9 frames, and 1":         file(words(little, 0x00280008, "IS", "9")),
		"is the file whole":       file(nil)[:len(file(nil))-3],
		"take 12 bits":            little.file(explicitLittle, 2, 1, 16, false, nil, all(func(out []byte) []byte { return little.short(out, 0x00280100, 12) }, little.native(1, 2))),
		"dcmdjpls":                little.file(jpegs+"80", 2, 1, 16, false, nil, func(out []byte) []byte { return little.open(out, 0x7FE00010, "OB", nil, []byte("xx")) }),
		"0 frames of 2 x 1":       file(words(little, 0x00280008, "IS", "0")),
		"sequences in each other": append(begin(explicitLittle), bytes.Repeat(little.open(nil, 0x00081140, "SQ")[:12], 40)...),
	} {
		f, err := Parse(data)
		if err == nil {
			_, _, err = f.Picture(0, nil)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestFilesWithoutAPreambleAreRead(t *testing.T) {
	plain := maker{order: binary.LittleEndian, implicit: true}
	rest := func(m maker, syntax string) []byte {
		whole := m.file(syntax, 3, 2, 12, false, windowed(m), m.native(0, 100, 200, 240, 300, 4095))
		return whole[len(begin(syntax)):]
	}
	for name, data := range map[string][]byte{
		"explicit": append(little.element(nil, 0x00080005, "CS", []byte("ISO_IR 100")), rest(little, explicitLittle)...),
		"implicit": append(plain.element(nil, 0x00080008, "CS", []byte("ORIGINAL")), rest(plain, implicitLittle)...),
	} {
		if got, _ := greys(t, parsed(t, data), 0); !Is(data) || !bytes.Equal(got, []byte{0, 0, 128, 179, 255, 255}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, other := range []string{"", "\x08\x00\x00\x00", "\x08\x00\x05\x00CSCSCSCSCS", "BM and other letters", strings.Repeat("\x00", 200), strings.Repeat("\x08\x00", 100)} {
		if Is([]byte(other)) {
			t.Errorf("%.20q is taken for DICOM", other)
		}
	}
}

func TestSpacingIsTheBodysBeforeTheDetectors(t *testing.T) {
	at := words(little, 0x00181164, "DS", `0.2\0.1`)
	body := words(little, 0x00280030, "DS", `0.5\0.25`)
	for _, c := range []struct {
		more     func([]byte) []byte
		want     [2]float64
		detector bool
	}{{at, [2]float64{0.1, 0.2}, true}, {all(at, body), [2]float64{0.25, 0.5}, false}, {nil, [2]float64{}, false}, {words(little, 0x00280030, "DS", `0\NaN`), [2]float64{}, false}} {
		f := parsed(t, little.file(explicitLittle, 2, 1, 16, false, c.more, little.native(1, 2)))
		if f.Spacing != c.want || f.AtDetector != c.detector {
			t.Errorf("%+v: %v, %v", c, f.Spacing, f.AtDetector)
		}
	}
}

// TestNothingOfTheIdentityIsKept looks at all that the package keeps of a file, as text.
func TestNothingOfTheIdentityIsKept(t *testing.T) {
	nested := little.element(nil, 0x00100010, "PN", []byte("SECRET^NESTED"))
	f := parsed(t, little.file(explicitLittle, 2, 1, 16, false, all(
		words(little, 0x00080020, "DA", "SECRET19"), words(little, 0x00100010, "PN", "SECRET^JOHN"), words(little, 0x00100020, "LO", "SECRET-42"),
		words(little, 0x00181000, "LO", "SECRET-SERIAL"), words(little, 0x00110010, "LO", "SECRET-MAKER"),
		func(out []byte) []byte { return little.open(out, 0x00101002, "SQ", nested) },
		func(out []byte) []byte { return little.open(out, 0x52009230, "SQ", nested) },
	), little.native(1, 2)))
	if !bytes.Equal(f.native, []byte{1, 0, 2, 0}) || f.fragments != nil || f.palette[0].data != nil {
		t.Errorf("of the file's own bytes more than pixels are kept")
	}
	if kept := fmt.Sprintf("%+v", *f); strings.Contains(kept, "SECRET") {
		t.Error(kept)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(little.file(explicitLittle, 2, 1, 16, false, windowed(little), little.native(1, 2)))
	f.Add(little.file(runLengths, 2, 1, 8, false, nil, func(out []byte) []byte {
		return little.open(out, 0x7FE00010, "OB", nil, packed([]byte{1, 5, 6}))
	}))
	f.Fuzz(func(_ *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil || file.Rows*file.Columns > 1<<16 {
			return
		}
		for i := range min(file.Frames, 4) {
			file.Picture(i, nil)
		}
	})
}
