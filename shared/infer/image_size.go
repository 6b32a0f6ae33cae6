package infer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
)

// maxImageBytes is the most memory that DecodeImage takes, whoever asks.
const maxImageBytes = 3 << 29

// ImageBytes is how much memory DecodeImage takes for a JPEG or PNG, as its header has it. Nothing is
// decoded.
func ImageBytes(data []byte) (int64, error) {
	head, kind, err := headOf(data)
	if err != nil {
		return 0, err
	}
	return bytesOf(head, kind, data), nil
}

// headOf reads the header of a JPEG or PNG; of nothing else, whatever other formats the process knows.
func headOf(data []byte) (image.Config, string, error) {
	head, kind, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil && bytes.HasPrefix(data, jpegMagic) { // OpenCV reads more of them than Go
		if own, ownErr := jpegHead(data); ownErr == nil {
			return image.Config{Width: own.w, Height: own.h}, "jpeg", nil
		}
	}
	if err == nil && kind != "jpeg" && kind != "png" {
		err = fmt.Errorf("it is a %s", kind)
	}
	if err != nil {
		return head, kind, childError{fmt.Sprintf("it is no JPEG or PNG that can be read (%v)", err), ErrImage}
	}
	return head, kind, nil
}

// bytesOf counts what decoding makes of each pixel: three bytes in OpenCV's picture and three in ours;
// the coefficients of all components of a JPEG that comes in several passes, two bytes each; and the
// three canvases of four channels of a PNG that moves, of which the first picture is shown.
func bytesOf(head image.Config, kind string, data []byte) int64 {
	each := int64(6)
	switch {
	case kind == "jpeg" && progressive(data):
		each += 2 * 4
	case kind == "png" && animated(data):
		each += 3 * 4 * depth(data)
	case kind == "png":
		each += depth(data) - 1
	}
	w, h := int64(head.Width), int64(head.Height)
	if w < 0 || h < 0 || w > 1<<31 || h > 1<<31 || w*h > (1<<62)/each {
		return 1 << 62
	}
	return w*h*each + int64(len(data))
}

// progressive says whether a JPEG's frame is of a kind that is kept whole while it is decoded.
func progressive(data []byte) bool {
	for at := 2; at+4 <= len(data); {
		if data[at] != 0xFF {
			return true // not what it should be: count the most
		}
		switch marker := data[at+1]; {
		case marker == 0xFF: // fill bytes
			at++
			continue
		case marker == 0xC0 || marker == 0xC1:
			// A baseline frame may still come in several scans, component by component.
			return scans(data[at:]) > 1
		case marker >= 0xC2 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
			return true
		case marker == 0x01 || marker >= 0xD0 && marker <= 0xD8:
			at += 2
			continue
		}
		at += 2 + int(binary.BigEndian.Uint16(data[at+2:]))
	}
	return true
}

// scans counts the beginnings of scans: within coded data no other FF is followed by DA.
func scans(data []byte) int { return bytes.Count(data, []byte{0xFF, 0xDA}) }

// animated says whether a PNG says so before its first picture.
func animated(data []byte) bool {
	for at := uint64(8); at+8 <= uint64(len(data)); {
		switch string(data[at+4 : at+8]) {
		case "acTL":
			return true
		case "IDAT":
			return false
		}
		at += 12 + uint64(binary.BigEndian.Uint32(data[at:]))
	}
	return false
}

// depth is how many bytes a PNG has for each channel.
func depth(data []byte) int64 {
	const at = 24 // signature, the chunk's length and name, width, height
	if len(data) > at && data[at] == 16 {
		return 2
	}
	return 1
}
