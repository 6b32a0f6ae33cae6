package linktile

import (
	"bytes"
	"slices"
	"testing"
)

// TestATileAndItsRefinementAreOneWithoutLoss, and a refinement of another tile is refused.
func TestATileAndItsRefinementAreOneWithoutLoss(t *testing.T) {
	tile := func(seed int) Tile {
		in := Tile{Header: Header{W: 70, H: 50, Bands: []string{"blue", "nir"}, DataType: "UInt16", Error: []int{5, 2}, More: true,
			Scalings: []Scaling{{0.0001, 0}, {0.0001, 0}}, Place: Place{SceneW: 70, SceneH: 50, Size: 256, Overlap: 24, Margin: 51, Cols: 1, Rows: 1}}, Pix: make([]uint16, 2*70*50)}
		for i := range in.Pix {
			in.Pix[i] = uint16(900 + i%70*seed + i*i%37)
		}
		return in
	}
	data, err := tile(7).Encode()
	if err != nil || !Keeps(data) {
		t.Fatal(err, Keeps(data))
	}
	base, err := Decode(data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	whole := tile(7)
	whole.Error = nil
	refinement, err := whole.EncodeRefinement(base)
	if err != nil || Keeps(refinement) {
		t.Fatal(err, Keeps(refinement))
	}
	pair := Pair(data, refinement)
	if h, err := PairHead(pair); err != nil || h.W != 70 {
		t.Errorf("%+v, %v", h, err)
	}
	out, err := DecodePair(pair, 1<<20)
	if err != nil || !slices.Equal(out.Pix, whole.Pix) || out.Error != nil {
		t.Errorf("%v, error %v", err, out.Error)
	}
	other, err := tile(8).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"another tile": Pair(other, refinement), "no refinement": Pair(data, data), "cut": pair[:len(pair)-9], "none": nil, "a length that lies": append(bytes.Repeat([]byte{255}, 9), 1)} {
		if _, err := DecodePair(bad, 1<<20); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := DecodePair(pair, 100); err == nil {
		t.Error("more pixels than the limit are taken")
	}
}
