package infer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocv.io/x/gocv"

	"cloudcanvas/shared/vision"
)

// bomb is a PNG whose header says w x h, in a few dozen bytes.
func bomb(w, h uint32) []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		binary.Write(&b, binary.BigEndian, uint32(len(data)))
		b.WriteString(kind)
		b.Write(data)
		binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(append([]byte(kind), data...)))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	chunk("IHDR", append(head, 8, 2, 0, 0, 0))
	chunk("IDAT", []byte{0x78, 0x9c, 3, 0, 0, 0, 0, 1})
	chunk("IEND", nil)
	return b.Bytes()
}

func TestABombIsRefusedByItsHeader(t *testing.T) {
	_, err := DecodeImage(bomb(60000, 60000), 100_000_000)
	if !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), "60000x60000") {
		t.Fatalf("got %v", err)
	}
}

func TestBrokenPicturesAreErrors(t *testing.T) {
	good, err := EncodeJPEG(gradient(64, 48), 90)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "header only": good[:30], "png without pixels": bomb(16, 16), "gif": []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"),
	} {
		if im, err := DecodeImage(data, 1<<20); !errors.Is(err, ErrImage) {
			t.Errorf("%s: got %dx%d, %v", name, im.W, im.H, err)
		}
	}
}

func TestPicturesComeBackFromTheirFiles(t *testing.T) {
	im := gradient(120, 80)
	lossless, err := EncodePNG(im)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeImage(lossless, 120*80)
	if err != nil || back.W != 120 || back.H != 80 || !bytes.Equal(back.Pix, im.Pix) {
		t.Fatalf("PNG: %dx%d, %v", back.W, back.H, err)
	}
	lossy, err := EncodeJPEG(im, 95)
	if err != nil {
		t.Fatal(err)
	}
	back, err = DecodeImage(lossy, 120*80)
	if err != nil || back.W != 120 || back.H != 80 {
		t.Fatalf("JPEG: %dx%d, %v", back.W, back.H, err)
	}
	if d := int(back.Pix[3*(40*120+60)]) - int(im.Pix[3*(40*120+60)]); d < -8 || d > 8 {
		t.Fatalf("JPEG is off by %d", d)
	}
}

func TestAJPEGHasItsOwnTablesAndTheSamePixels(t *testing.T) {
	im := gradient(192, 144)
	for i := range im.Pix {
		im.Pix[i] ^= byte(i * 7 % 31) // something to encode
	}
	own, err := EncodeJPEG(im, 75)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := encode(im, gocv.JPEGFileExt, []int{gocv.IMWriteJpegQuality, 75})
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := DecodeImage(own, 1<<20)
	b, err2 := DecodeImage(plain, 1<<20)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if len(own) >= len(plain) || progressive(own) || !bytes.Equal(a.Pix, b.Pix) {
		t.Errorf("%d bytes with its own tables, %d without; in passes: %v; the same pixels: %v", len(own), len(plain), progressive(own), bytes.Equal(a.Pix, b.Pix))
	}
}

func TestAPictureIsTurnedUprightAndManyDecodeAtOnce(t *testing.T) {
	im := gradient(120, 80)
	plain, err := EncodeJPEG(im, 95)
	if err != nil {
		t.Fatal(err)
	}
	turn := []byte("\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00")
	lying := slices.Concat(plain[:2], turn, plain[2:]) // its top row is the picture's right side
	var decoding sync.WaitGroup
	for range 8 {
		decoding.Go(func() {
			flat, err := DecodeImage(plain, 1<<20)
			if err != nil {
				t.Error(err)
				return
			}
			upright, err := DecodeImage(lying, 1<<20)
			if err != nil {
				t.Error(err)
				return
			}
			if upright.W != 80 || upright.H != 120 {
				t.Errorf("it is %dx%d", upright.W, upright.H)
				return
			}
			for y := range upright.H {
				for x := range upright.W {
					if at, from := (y*80+x)*3, ((79-x)*120+y)*3; !bytes.Equal(upright.Pix[at:at+3], flat.Pix[from:from+3]) {
						t.Errorf("the pixel at %d, %d is another", x, y)
						return
					}
				}
			}
		})
	}
	decoding.Wait()
}

func TestGrayAndDeepPNGsBecomeColour(t *testing.T) {
	deep := image.NewGray16(image.Rect(0, 0, 3, 2))
	deep.SetGray16(1, 1, color.Gray16{0x8000})
	var b bytes.Buffer
	if err := png.Encode(&b, deep); err != nil {
		t.Fatal(err)
	}
	im, err := DecodeImage(b.Bytes(), 100)
	if err != nil || len(im.Pix) != 18 || im.Pix[3*4] != 0x80 || im.Pix[3*4+2] != 0x80 {
		t.Fatalf("got %v, %v", im.Pix, err)
	}
}

func TestEncodingNeedsPixels(t *testing.T) {
	for _, im := range []vision.Image{{}, bands(4, 4, "red"), {W: 4, H: 4, Pix: make([]byte, 4)}} {
		_, err1 := EncodeJPEG(im, 90)
		_, err2 := Annotate(im, nil, nil)
		for _, err := range []error{err1, err2} {
			if !errors.Is(err, ErrImage) {
				t.Errorf("%dx%d: got %v", im.W, im.H, err)
			}
		}
	}
}

func TestAnnotateDrawsOnACopyEvenOverTheBorder(t *testing.T) {
	im := gradient(200, 150)
	before := bytes.Clone(im.Pix)
	out, err := Annotate(im, []vision.Box{{X: -20, Y: -10, W: 90, H: 80, Score: 0.9, Label: "person"}, {X: 150, Y: 100, W: 500, H: 500, Class: 79, Points: [][2]float32{{160, 110}}}},
		[]vision.Mark{{Name: "yard", Closed: true, Points: [][2]float32{{20, 100}, {60, 100}, {60, 118}}}, {Points: [][2]float32{{-5, -5}, {9e6, 9e6}}}, {}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(im.Pix, before) || bytes.Equal(out.Pix, before) || len(out.Pix) != len(before) {
		t.Fatal("the picture must stay, its copy must have boxes")
	}
}

func FuzzDecodeImage(f *testing.F) {
	good, err := EncodeJPEG(gradient(16, 16), 80)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(bomb(8, 8))
	f.Add([]byte("not a picture"))
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := DecodeImage(data, 1<<16)
		if err == nil && len(im.Pix) != im.W*im.H*3 {
			t.Fatalf("%d bytes for %dx%d", len(im.Pix), im.W, im.H)
		}
	})
}

func TestAPartThatSaysItIsLargerThanItsFileCostsNothing(t *testing.T) {
	im := vision.Image{W: 16, H: 16, Pix: make([]byte, 16*16*3)}
	data, err := EncodePNG(im)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("IDAT")) - 4
	binary.BigEndian.PutUint32(data[at:], 0x7ffffff0)
	if _, err := DecodeImage(data, 1<<20); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), "2147483632 bytes") {
		t.Errorf("%v", err)
	}
	scans, err := EncodeJPEG(im, 90)
	if err != nil {
		t.Fatal(err)
	}
	scans = append(scans, bytes.Repeat([]byte{0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0}, 200)...)
	if _, err := DecodeImage(scans, 1<<20); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), "scans") {
		t.Errorf("%v", err)
	}
}
