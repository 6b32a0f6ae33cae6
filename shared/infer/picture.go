package infer

import (
	"fmt"

	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/vision"
)

// DecodePicture is DecodeImage for the files that people have: also BMP, WebP and TIFF, and pictures of up to
// 16 bits, of which the ones that count become 8. notes are what a person should know of what was made of it.
func DecodePicture(data []byte, maxPixels int) (im vision.Image, notes vision.Notes, err error) {
	head, err := pictureHead(data)
	if err != nil {
		return vision.Image{}, notes, err
	}
	if !head.special() {
		im, err = DecodeImage(data, maxPixels)
		if head.kind == "png" && animated(data) {
			notes.Left = moves
		}
		return im, notes, err
	}
	if head.w < 1 || head.h < 1 || head.w > maxPixels/head.h {
		return vision.Image{}, notes, fmt.Errorf("%w: it has %dx%d pixels, over the limit of %d; scale it down, or raise the limit", ErrImage, head.w, head.h, maxPixels)
	}
	if n := head.bytes(data); n > maxImageBytes {
		return vision.Image{}, notes, fmt.Errorf("%w: %dx%d pixels of a %s take %d bytes when they are decoded, over the limit of %d; scale it down", ErrImage, head.w, head.h, head.kind, n, int64(maxImageBytes))
	}
	switch head.kind {
	case "png":
		err = chunks(data)
	case "tiff":
		data = opaque(data)
	}
	var bits int
	if err == nil {
		im, bits, err = decodeDeep(data, head.w*head.h, head.said)
	}
	if err != nil {
		return vision.Image{}, notes, fmt.Errorf("%w: decoding the %s: %w", ErrImage, head.kind, err)
	}
	crashOn(whileDecoding, &im)
	return im, head.notes(bits), nil
}

// PlainPicture is the media type of a JPEG or PNG that DecodeImage reads as it is meant, empty of what only
// DecodePicture and album do.
func PlainPicture(data []byte, maxPixels int) (media string, err error) {
	switch pictures.Of(data).Name {
	case "JPEG", "PNG":
	default:
		return "", nil
	}
	head, err := pictureHead(data)
	if err != nil || head.special() {
		return "", err
	}
	if head.w > maxPixels/head.h {
		return "", fmt.Errorf("it has %d x %d pixels; at most %d in all are taken", head.w, head.h, maxPixels)
	}
	return "image/" + head.kind, nil
}

const moves = "it moves, and only its first picture is taken"

// PictureBytes is how much memory DecodePicture takes, as the file's header has it. Nothing is decoded.
func PictureBytes(data []byte) (int64, error) {
	head, err := pictureHead(data)
	if err != nil {
		return 0, err
	}
	return head.bytes(data), nil
}

// special says that the picture is none of those that DecodeImage takes as they are.
func (h header) special() bool { return h.kind != "jpeg" && h.kind != "png" || h.bits == 16 }

// bytes counts what decoding makes of each pixel: OpenCV's picture and ours as in bytesOf, the samples as the
// file has them, and what a format's decoder holds besides.
func (h header) bytes(data []byte) int64 {
	if !h.special() {
		n, err := ImageBytes(data)
		if err != nil {
			return 1 << 62
		}
		return n
	}
	each := int64(6)
	switch {
	case h.kind == "webp" && h.moves:
		each += 3 * 4
	case h.kind == "webp":
		each += 8
	case h.kind == "tiff":
		each += 6 + 2*int64(h.samples)*int64((h.bits+7)/8)
	case h.kind == "png" && animated(data):
		each += 3*4*2 + 3
	case h.kind == "png":
		each += 3 + 8
	}
	w, t := int64(max(h.w, h.blockW)), int64(max(h.h, h.blockH))
	if w < 0 || t < 0 || w > 1<<31 || t > 1<<31 || w*t > (1<<62)/each {
		return 1 << 62
	}
	return w*t*each + int64(len(data))
}

// notes say what a person should know of it: how many bits were taken to count, and what was left out.
func (h header) notes(bits int) (n vision.Notes) {
	if h.moves {
		n.Left = moves
	}
	switch {
	case h.bits <= 8 || bits == 16 && (h.said == 0 || h.said == 16):
	case h.said == bits:
		n.Assumed = fmt.Sprintf("%d bits in 16 count, as the file says", bits)
	case h.said > 0:
		n.Assumed = fmt.Sprintf("all 16 bits count: the file says %d, but its samples are larger", h.said)
	default:
		n.Assumed = fmt.Sprintf("%d bits in 16 count, by the brightest sample", bits)
	}
	return n
}
