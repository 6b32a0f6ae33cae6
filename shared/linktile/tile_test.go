package linktile

import (
	"reflect"
	"testing"
)

func TestATileComesBackAsItWas(t *testing.T) {
	none := 0.0
	in := Tile{Header: Header{W: 40, H: 33, Bands: []string{"blue", "nir"}, DataType: "UInt16", NoData: &none,
		Scalings: []Scaling{{0.0001, 0}, {0.0001, -0.1}}, Place: Place{SceneW: 40, SceneH: 33, Size: 256, Overlap: 24, Margin: 51, Cols: 1, Rows: 1}},
		Pix: make([]uint16, 2*40*33), Kept: []bool{true, false, true, true}, Mask: make([]byte, 40*33)}
	for i := range in.Pix {
		in.Pix[i] = uint16(i * 7)
	}
	data, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out, err := Decode(data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in.Header, out.Header) || !reflect.DeepEqual(in.Kept, out.Kept) || !reflect.DeepEqual(in.Mask, out.Mask) {
		t.Errorf("%+v came back as %+v", in.Header, out.Header)
	}
}
