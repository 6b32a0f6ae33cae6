package sar

import (
	"bytes"
	"errors"
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
	if err != nil || !reflect.DeepEqual(im, back) {
		t.Fatal(err)
	}
	t.Log(len(data), "bytes of", 8*len(im.Pix))
}
