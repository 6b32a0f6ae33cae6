package sar

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func smallPlan(t testing.TB) *Plan {
	p := cBand(-6900)
	p.Format, p.Lines, p.Samples, p.ChirpS = IQ8, 300, 400, 10e-6
	return planOf(t, p, 40<<20)
}

func smallBlock(t testing.TB) (p *Plan, b Block, raw []byte, gains []float32) {
	p = smallPlan(t)
	b = p.Blocks[len(p.Blocks)/2]
	_, lines := p.Stored(b)
	raw = make([]byte, lines*p.Params.Samples*2)
	for i := range raw {
		raw[i] = byte(i * i >> 3 & 15)
	}
	for i := range lines {
		gains = append(gains, float32(i)/8)
	}
	return p, b, raw, gains
}

func TestEchoesComeBackAsTheyWere(t *testing.T) {
	p, b, raw, gains := smallBlock(t)
	for _, g := range [][]float32{gains, nil} {
		data, err := EncodeEchoes(p, b, raw, g)
		if err != nil {
			t.Fatal(err)
		}
		p2, b2, raw2, gains2, err := DecodeEchoes(data)
		if err != nil || b2 != b || !bytes.Equal(raw, raw2) || !slices.Equal(g, gains2) || !reflect.DeepEqual(p, p2) {
			t.Fatal(err, b2, p2)
		}
		for _, n := range []int{0, 3, 100, len(data) - 1} {
			if _, _, _, _, err := DecodeEchoes(data[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%d bytes of it: %v", n, err)
			}
		}
	}
	b.From++
	if _, err := EncodeEchoes(p, b, raw, gains); err == nil {
		t.Error("a block of another plan is taken")
	}
}

func TestRowsComeBackAsTheyWere(t *testing.T) {
	p, b, raw, gains := smallBlock(t)
	im, err := p.Focus(t.Context(), b, raw, gains)
	if err != nil {
		t.Fatal(err)
	}
	data, err := EncodeRows(im)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeRows(data)
	if err != nil || back.FirstRow != im.FirstRow || back.Rows != im.Rows || back.Cols != im.Cols || !bytes.Equal(bytesOf(back.Pix), bytesOf(im.Pix)) {
		t.Fatal(err)
	}
	t.Log(len(data), "bytes of", 8*len(im.Pix))
}

func TestNumbersOfAllKindsComeBack(t *testing.T) {
	for name, fill := range map[string]func(i int) byte{
		"zeros": func(int) byte { return 0 }, "noise": func(i int) byte { return byte(uint64(i) * 0x9e3779b97f4a7c15 >> 56) },
		"few values": func(i int) byte { return byte(i*i>>3) & 15 }, "a jump": func(i int) byte { return byte(i >> 16) },
	} {
		for _, size := range []int{1, 2, 4} {
			for _, n := range []int{0, 1, 2, 5, chunk, chunk + 1, 3*chunk + 17} {
				data := make([]byte, n*size)
				for i := range data {
					data[i] = fill(i)
				}
				packed := appendNumbers([]byte("before"), data, size)
				back, rest, err := takeNumbers(append(packed, "after"...)[6:], len(data), size)
				if err != nil || !bytes.Equal(back, data) || string(rest) != "after" {
					t.Fatalf("%d times %d bytes of %s: %v", n, size, name, err)
				}
			}
		}
	}
}

func TestRealEchoesShrink(t *testing.T) {
	e := openBay(t)
	raw, _, err := e.Raw(0, e.Params.Lines)
	if err != nil {
		t.Fatal(err)
	}
	packed := appendNumbers(nil, raw, 1)
	if share := float64(len(packed)) / float64(len(raw)); share > 0.46 {
		t.Errorf("to %.3f of their bytes", share)
	} else {
		t.Logf("to %.3f of their bytes", share)
	}
}

func FuzzDecodeEchoes(f *testing.F) {
	p := smallPlan(f)
	p.Params.Lines, p.Params.Samples, p.Params.FirstSampleSlantRangeM = 40, 200, 20000
	p.Params.ChirpS, p.Params.ChirpRateHzS = 3e-6, -1e13
	p = planOf(f, p.Params, 8<<20)
	b := p.Blocks[0]
	_, lines := p.Stored(b)
	raw, gains := bytes.Repeat([]byte{1, 3, 7, 250}, lines*100), make([]float32, lines)
	for _, g := range [][]float32{gains, nil} {
		data, err := EncodeEchoes(p, b, raw, g)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:len(data)-4])
	}
	f.Add([]byte(magicEchoes))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, b, raw, gains, err := DecodeEchoes(seal(data)) // a right checksum, or nothing would be looked at
		if err == nil {
			if _, err := EncodeEchoes(p, b, raw, gains); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeRows(f *testing.F) {
	data, err := EncodeRows(&Image{FirstRow: 3, Rows: 2, Cols: 5, Pix: make([]complex64, 10)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:len(data)-4])
	f.Add([]byte(magicRows))
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := DecodeRows(seal(data))
		if err == nil {
			if _, err := EncodeRows(im); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestDamagedEchoesAreRefused changes a bit here and there and makes the checksum a right one again.
func TestDamagedEchoesAreRefused(t *testing.T) {
	p, b, raw, gains := smallBlock(t)
	data, err := EncodeEchoes(p, b, raw, gains)
	if err != nil {
		t.Fatal(err)
	}
	data = data[:len(data)-4]
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for i := range 400 {
		bad := append([]byte(nil), data...)
		at := random.IntN(1000) // the header is there
		if i%4 == 0 {
			at = random.IntN(len(bad))
		}
		bad[at] ^= 1 << random.IntN(8)
		p, b, raw, gains, err := DecodeEchoes(seal(bad))
		if err != nil {
			refused++
		} else if err := p.fits(b, raw, gains); err != nil {
			t.Fatal(err)
		}
	}
	if refused < 50 { // the others are other numbers, such as a text may hold
		t.Errorf("%d of 400 are refused", refused)
	}
}
