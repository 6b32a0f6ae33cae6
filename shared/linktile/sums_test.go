package linktile

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestVectorsAndPlainSumsGiveTheSame bytes and pixels, for rows of any length.
func TestVectorsAndPlainSumsGiveTheSame(t *testing.T) {
	if !vectors {
		t.Skip("this processor has no AVX2: there is one way only")
	}
	defer func() { vectors = true }()
	rapid.Check(t, func(t *rapid.T) {
		in := drawTile(t)
		var coded [2][]byte
		for i := range coded {
			vectors = i == 0
			var err error
			if coded[i], err = in.Encode(); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(coded[0], coded[1]) {
			t.Fatal("other bytes")
		}
		var out [2]Tile
		for i := range out {
			vectors = i == 0
			var err error
			if out[i], err = Decode(coded[0], 1<<14); err != nil {
				t.Fatal(err)
			}
		}
		if err := same(out[0], out[1]); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBytesThatAreMissingAreFoundInTheLastRows cuts what a band's tokens and their bits take, at their ends, where
// rows are read with zeros behind.
func TestBytesThatAreMissingAreFoundInTheLastRows(t *testing.T) {
	in := example(64, 64, 1)
	in.Error = nil
	data, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h, rest, err := unseal(data)
	if err != nil {
		t.Fatal(err)
	}
	sections, err := readSections(rest)
	if err != nil {
		t.Fatal(err)
	}
	body := byteReader{data: sections[sectionPixels]}
	var p predictor
	p.read(&body, 0, -1)
	coded, raw, flags := body.part(), body.part(), body.part()
	from := in.origins(in.voids(), in.Kept)
	try := func(coded, raw []byte) error {
		again := appendPart(appendPart(appendPart(p.append(nil), coded), raw), flags)
		return decodePixels(h, again, make([]uint16, len(in.Pix)), from)
	}
	if err := try(coded, raw); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 40; n++ {
		if len(coded)-n >= 8 && try(coded[:len(coded)-n], raw) == nil || try(append(bytes.Clone(coded), make([]byte, n)...), raw) == nil {
			t.Errorf("%d bytes of tokens less or more are taken", n)
		}
		if len(raw) >= n && try(coded, raw[:len(raw)-n]) == nil || try(coded, append(bytes.Clone(raw), make([]byte, n)...)) == nil {
			t.Errorf("%d bytes of bits less or more are taken", n)
		}
	}
	if len(raw) < 40 {
		t.Fatalf("%d bytes of bits: too few to be cut", len(raw))
	}
}
