package apart

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airbusgeo/godal"
)

// codestream lets GDAL write values without loss; kind is a type of GDAL's.
func codestream(t *testing.T, kind godal.DataType, bands, w, h int, pixels any) []byte {
	t.Helper()
	if err := godal.RegisterRaster("JP2OpenJPEG"); err != nil {
		t.Skip("this machine's GDAL has no JPEG 2000: ", err)
	}
	godal.RegisterInternalDrivers()
	from, err := godal.Create(godal.Memory, "", bands, kind, w, h)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if err := from.Write(0, 0, pixels, w, h); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.j2k")
	to, err := from.Translate(file, []string{"-of", "JP2OpenJPEG", "-co", "QUALITY=100", "-co", "REVERSIBLE=YES", "-co", "CODEC=J2K"})
	if err != nil {
		t.Fatal(err)
	}
	to.Close()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestJPEG2000ComesBackOfAProcessOfItsOwn(t *testing.T) {
	const w, h = 40, 30
	grey, signed, colours := make([]uint16, w*h), make([]int16, w*h), make([]byte, 3*w*h)
	for i := range grey {
		grey[i], signed[i] = uint16(i*37), int16(i*31-9000)
	}
	for i := range colours {
		colours[i] = byte(i * 7)
	}
	for name, c := range map[string]struct {
		data []byte
		want Header
		same func(pix []byte) bool
	}{
		"grey": {codestream(t, godal.UInt16, 1, w, h, grey), Header{W: w, H: h, Samples: 1, Bits: 16, Deep: true, Pictures: 1}, func(pix []byte) bool {
			return binary.NativeEndian.Uint16(pix[2*77:]) == grey[77]
		}},
		"signed": {codestream(t, godal.Int16, 1, w, h, signed), Header{W: w, H: h, Samples: 1, Bits: 16, Deep: true, Signed: true, Pictures: 1}, func(pix []byte) bool {
			return int16(binary.NativeEndian.Uint16(pix[2*77:])) == signed[77]
		}},
		"colours": {codestream(t, godal.Byte, 3, w, h, colours), Header{W: w, H: h, Samples: 3, Bits: 8, Pictures: 1}, func(pix []byte) bool {
			return string(pix) == string(colours)
		}},
	} {
		f, err := Open(t.Context(), JPEG2000, c.data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pix, err := f.Pixels(t.Context())
		if err != nil || f.Header != c.want || int64(len(pix)) != c.want.bytes() || !c.same(pix) {
			t.Errorf("%s: %+v, %d bytes, %v", name, f.Header, len(pix), err)
		}
		f.Close()
		if _, err := Open(t.Context(), JPEG2000, c.data[:20]); err == nil {
			t.Errorf("%s: 20 bytes of it were read", name)
		}
	}
	if _, err := Open(t.Context(), JPEG2000, []byte("\x00\x00\x00\x0CjP  \r\n\x87\n")); err == nil || !strings.Contains(err.Error(), "codestream") {
		t.Errorf("a file around a codestream: %v", err)
	}
}
