package products

import (
	"bytes"
	"image"
	"image/png"
	"testing"

	"cloudcanvas/shared/vision"
)

func TestAMaskShowsWhatWasNotJudgedApartFromNoData(t *testing.T) {
	class := []byte{vision.Clear, vision.Shadow, vision.Cloud, vision.NotJudged, vision.NoData, 7}
	data, err := encodeMask(class, len(class), 1)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got := picture.(*image.Paletted).Pix; !bytes.Equal(got, []byte{0, 1, 2, inNotJudged, inNoData, inNoData}) {
		t.Errorf("%v", got)
	}
	if maskColours[inNotJudged] == maskColours[inNoData] {
		t.Error("they look alike")
	}
}
