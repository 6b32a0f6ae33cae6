package infer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	_ "image/jpeg" // headers only; pixels are OpenCV's
	_ "image/png"
	"strings"

	"gocv.io/x/gocv"

	"cloudcanvas/shared/vision"
)

// DecodeImage decodes a JPEG or PNG into Pix, as cv2.imread reads it (8 bits, colour, turned upright).
// The size in the header is checked against maxPixels (width*height) before anything is decoded.
func DecodeImage(data []byte, maxPixels int) (vision.Image, error) {
	head, kind, err := headOf(data)
	if err != nil {
		return vision.Image{}, err
	}
	if head.Width < 1 || head.Height < 1 || head.Width > maxPixels/head.Height {
		return vision.Image{}, fmt.Errorf("%w: it has %dx%d pixels, over the limit of %d; scale it down, or raise the limit", ErrImage, head.Width, head.Height, maxPixels)
	}
	if n := bytesOf(head, kind, data); n > maxImageBytes {
		return vision.Image{}, fmt.Errorf("%w: %dx%d pixels of a %s take %d bytes when they are decoded, over the limit of %d; scale it down", ErrImage, head.Width, head.Height, kind, n, int64(maxImageBytes))
	}
	if kind == "png" {
		err = chunks(data)
	} else if n := bytes.Count(data, []byte{0xff, 0xda}); n > maxScans {
		err = fmt.Errorf("it is drawn in %d scans, at most %d are taken", n, maxScans)
	}
	if err != nil {
		return vision.Image{}, fmt.Errorf("%w: decoding the %s: %w", ErrImage, kind, err)
	}
	im, err := decode(data, head.Width*head.Height)
	if err != nil {
		return vision.Image{}, fmt.Errorf("%w: decoding the %s: %w", ErrImage, kind, err)
	}
	crashOn(whileDecoding, &im)
	return im, nil
}

// maxScans bounds a progressive JPEG. Each scan goes over all of the picture, and ten bytes make one; honest
// ones have about ten.
const maxScans = 100

// chunks says whether the parts of a PNG lie within it. OpenCV makes room for as much as a part says that it
// has, up to 2 GiB, and fills it, before it looks for the bytes: 300 of them cost a core ten seconds.
func chunks(data []byte) error {
	const signature, around = 8, 12 // length, name and checksum
	for rest := data[signature:]; len(rest) >= 8; {
		n := int64(binary.BigEndian.Uint32(rest))
		name := string(rest[4:8])
		if has := int64(len(rest) - around); n > has {
			return fmt.Errorf("its part %q says that it has %d bytes, and %d are there; is the file whole?", name, n, max(has, 0))
		}
		if len(rest) < around || name == "IEND" {
			return nil
		}
		rest = rest[around+n:]
	}
	return nil
}

// EncodeJPEG encodes Pix with quality 1 … 100. Its Huffman tables are made for the picture: the same pixels
// in 2 to 9 % fewer bytes, for three milliseconds a megapixel (docs/decisions/0025-codec-of-frames.md).
func EncodeJPEG(im vision.Image, quality int) ([]byte, error) {
	return encode(im, gocv.JPEGFileExt, []int{gocv.IMWriteJpegQuality, quality, gocv.IMWriteJpegOptimize, 1})
}

// EncodePNG encodes Pix without loss.
func EncodePNG(im vision.Image) ([]byte, error) {
	return encode(im, gocv.PNGFileExt, []int{gocv.IMWritePngCompression, 3})
}

func encode(im vision.Image, ext gocv.FileExt, params []int) ([]byte, error) {
	m, err := matOf(im)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var out []byte
	var encodeErr error
	err = alone(func() {
		var buf *gocv.NativeByteBuffer
		if buf, encodeErr = gocv.IMEncodeWithParams(ext, m, params); encodeErr != nil {
			return
		}
		defer buf.Close()
		out = bytes.Clone(buf.GetBytes())
	})
	if err = errors.Join(encodeErr, err); err != nil {
		return nil, fmt.Errorf("encoding a %s of %dx%d: %w", strings.TrimPrefix(string(ext), "."), im.W, im.H, err)
	}
	return out, nil
}

// matOf copies pixels into a Mat of OpenCV's own memory.
func matOf(im vision.Image) (gocv.Mat, error) {
	if err := hasPixels(im); err != nil {
		return gocv.Mat{}, err
	}
	over, err := gocv.NewMatFromBytes(im.H, im.W, gocv.MatTypeCV8UC3, im.Pix)
	if err != nil {
		return gocv.Mat{}, fmt.Errorf("%w: %w", ErrImage, err)
	}
	defer over.Close()
	return over.Clone(), nil
}

func hasPixels(im vision.Image) error {
	if im.W < 1 || im.H < 1 || len(im.Pix) != im.W*im.H*3 {
		return fmt.Errorf("%w: %d bytes for %dx%d colour pixels", ErrImage, len(im.Pix), im.W, im.H)
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
