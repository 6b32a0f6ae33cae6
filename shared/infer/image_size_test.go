package infer

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand"
	"strings"
	"testing"
)

// pngOf is the beginning of a PNG of that size and depth, before its first picture such chunks.
func pngOf(w, h uint32, depth, colour byte, chunks ...string) []byte {
	var out bytes.Buffer
	chunk := func(kind string, data []byte) {
		body := append([]byte(kind), data...)
		binary.Write(&out, binary.BigEndian, uint32(len(data)))
		out.Write(body)
		binary.Write(&out, binary.BigEndian, crc32.ChecksumIEEE(body))
	}
	out.WriteString("\x89PNG\r\n\x1a\n")
	chunk("IHDR", append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h), depth, colour, 0, 0, 0))
	for _, kind := range chunks {
		chunk(kind, make([]byte, 8))
	}
	var rows bytes.Buffer
	z := zlib.NewWriter(&rows)
	z.Write(make([]byte, 1<<20)) // a piece of what it would inflate to
	z.Close()
	chunk("IDAT", rows.Bytes())
	chunk("IEND", nil)
	return out.Bytes()
}

func jpegOf(t testing.TB, w, h int) []byte {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, w, h))
	rand.New(rand.NewSource(1)).Read(picture.Pix)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// asProgressive says of a JPEG's frame that it comes in passes; only its header is looked at.
func asProgressive(data []byte) []byte {
	return bytes.Replace(data, []byte{0xFF, 0xC0}, []byte{0xFF, 0xC2}, 1)
}

// resized writes another size into a JPEG's frame.
func resized(data []byte, w, h uint16) []byte {
	data = bytes.Clone(data)
	at := bytes.Index(data, []byte{0xFF, 0xC0})
	binary.BigEndian.PutUint16(data[at+5:], h)
	binary.BigEndian.PutUint16(data[at+7:], w)
	return data
}

func TestImageBytesCountWhatDecodingMakes(t *testing.T) {
	const pixels = 40 * 30
	twice := append(jpegOf(t, 40, 30), 0xFF, 0xDA) // a second scan
	for _, c := range []struct {
		name string
		data []byte
		each int64
	}{
		{"JPEG", jpegOf(t, 40, 30), 6},
		{"JPEG in passes", asProgressive(jpegOf(t, 40, 30)), 14},
		{"JPEG in several scans", twice, 14},
		{"PNG", pngOf(40, 30, 8, 2), 6},
		{"PNG of 16 bits", pngOf(40, 30, 16, 6), 7},
		{"PNG that moves", pngOf(40, 30, 8, 6, "acTL"), 18},
		{"PNG of 16 bits that moves", pngOf(40, 30, 16, 6, "gAMA", "acTL"), 30},
	} {
		if n, err := ImageBytes(c.data); err != nil || n != pixels*c.each+int64(len(c.data)) {
			t.Errorf("%s: %d bytes beside the file for %d pixels: %v", c.name, n-int64(len(c.data)), pixels, err)
		}
	}
}

func TestAPictureThatTakesTooMuchMemoryIsRefusedBeforeItIsDecoded(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"PNG of 16 bits that moves", pngOf(8000, 8000, 16, 6, "acTL"), "8000x8000 pixels of a png take 19"},
		{"JPEG in passes", resized(asBaselineThenProgressive(t), 12000, 12000), "12000x12000 pixels of a jpeg take 20"},
		{"huge sides", pngOf(100_000, 100_000, 8, 2), "100000x100000 pixels of a png take 60"},
	} {
		if _, err := DecodeImage(c.data, 1<<62); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
		if n, err := ImageBytes(c.data); err == nil && n < maxImageBytes {
			t.Errorf("%s: %d bytes", c.name, n)
		}
	}
}

// asBaselineThenProgressive has a second scan, so that its coefficients are kept.
func asBaselineThenProgressive(t testing.TB) []byte {
	return append(jpegOf(t, 16, 16), 0xFF, 0xDA)
}

func TestNothingButJPEGAndPNGIsDecodedWhateverTheProcessKnows(t *testing.T) {
	var b bytes.Buffer
	if err := gif.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil { // this knows GIF from now on
		t.Fatal(err)
	}
	if _, err := DecodeImage(b.Bytes(), 1000); err == nil || !strings.Contains(err.Error(), "it is a gif") {
		t.Errorf("got %v", err)
	}
	if _, err := ImageBytes(b.Bytes()); err == nil {
		t.Error("a GIF has a size")
	}
}

func FuzzImageBytes(f *testing.F) {
	f.Add(jpegOf(f, 16, 16))
	f.Add(asProgressive(jpegOf(f, 16, 16)))
	f.Add(pngOf(16, 16, 8, 2, "acTL"))
	var gray bytes.Buffer
	png.Encode(&gray, image.NewGray(image.Rect(0, 0, 8, 8)))
	f.Add(gray.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := ImageBytes(data)
		if err != nil {
			return
		}
		head, _, err := image.DecodeConfig(bytes.NewReader(data))
		if err != nil { // OpenCV reads more JPEGs than Go
			var own header
			own, err = jpegHead(data)
			head.Width, head.Height = own.w, own.h
		}
		if err != nil || n < int64(head.Width)*int64(head.Height) && n < 1<<62 {
			t.Fatalf("%d bytes for %d x %d: %v", n, head.Width, head.Height, err)
		}
	})
}
