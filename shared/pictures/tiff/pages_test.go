package tiff

import (
	"bytes"
	"testing"
)

// big is a BigTIFF of one page in tiles.
const big = "II+\x00\x08\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00" +
	"\x03\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x01\x04\x00\x01\x00\x00\x00\x00\x00\x00\x00\x40\x9c\x00\x00\x00\x00\x00\x00" +
	"\x01\x01\x04\x00\x01\x00\x00\x00\x00\x00\x00\x00\x30\x75\x00\x00\x00\x00\x00\x00" +
	"\x42\x01\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00"

func TestABigTIFFSaysItsSize(t *testing.T) {
	f, err := Read(bytes.NewReader([]byte(big)), int64(len(big)))
	if err != nil || !f.Big || len(f.Pages) != 1 || f.Pages[0].W != 40000 || f.Pages[0].H != 30000 || !f.Pages[0].Tiled || f.Cut {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := Read(bytes.NewReader([]byte(big[:40])), 40); err == nil {
		t.Error("half of it was read")
	}
}

func TestSlidesAreKnownByWhatTheirScannersWrite(t *testing.T) {
	for data, foreign := range map[string]bool{
		"II*\x00\x08\x00\x00\x00\x01\x00\x8c\xff\x04\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00":                      true,
		"II*\x00\x08\x00\x00\x00\x01\x00\x0e\x01\x02\x00\x12\x00\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x00Aperio Image Libr\x00": false,
	} {
		f, err := Read(bytes.NewReader([]byte(data)), int64(len(data)))
		if err != nil || !f.Slide() || f.Foreign() != foreign {
			t.Errorf("%+v, %v", f, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(big))
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x00\x00\x03\x00\x00\x00\x01\x00\x05\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if f, err := Read(bytes.NewReader(data), int64(len(data))); err == nil {
			f.Pictures()
			f.Pyramid()
		}
	})
}
