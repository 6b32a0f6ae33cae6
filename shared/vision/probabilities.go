package vision

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
)

// ProbabilityOne is the probability 1 in a mask's Probabilities.
const ProbabilityOne = 254

// maxPlanes bounds the classes of one mask that came from elsewhere.
const maxPlanes = 16

// Sure is the mask without its doubts: each pixel's class has the probability 1.
func (m Mask) Sure() Mask {
	most := byte(Cloud)
	for _, c := range m.Class {
		if c < NotJudged {
			most = max(most, c)
		}
	}
	probabilities := make([][]byte, most)
	for i := range probabilities {
		probabilities[i] = make([]byte, len(m.Class))
		for p, c := range m.Class {
			switch c {
			case NoData:
				probabilities[i][p] = NoData
			case NotJudged: // who does not know of it takes it for no data
				if probabilities[i][p] = NotJudged; i == 0 {
					probabilities[i][p] = NoData
				}
			case byte(i + 1):
				probabilities[i][p] = ProbabilityOne
			}
		}
	}
	m.Probabilities = probabilities
	return m
}

// EncodeProbabilities writes the probabilities behind a mask as an 8-bit gray PNG of the mask's width, with
// one plane below the other for class 1, 2, … (1 shadow, 2 cloud; the rest is clear), each of the
// mask's height, in 1/254; 255 is no data, or, with 254 in the second plane, not judged. A mask that has none is
// taken at its word.
func EncodeProbabilities(m Mask, level png.CompressionLevel) ([]byte, error) {
	if m.Probabilities == nil {
		m = m.Sure()
	}
	pix := make([]byte, 0, len(m.Probabilities)*m.W*m.H)
	for _, plane := range m.Probabilities {
		pix = append(pix, plane...)
	}
	size := image.Rect(0, 0, m.W, len(m.Probabilities)*m.H)
	var picture image.Image = &image.Gray{Pix: pix, Stride: m.W, Rect: size}
	if level == png.BestSpeed {
		picture = &image.Paletted{Pix: pix, Stride: m.W, Rect: size, Palette: grays}
	}
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: level}
	err := e.Encode(&b, picture)
	return b.Bytes(), err
}

// maxMaskPixels bounds a mask of all its planes: a tile's has 131,072 pixels.
const maxMaskPixels = 128 << 20

var errNotGray = errors.New("it is not 8-bit gray")

// CheckProbabilities looks at the header of what EncodeProbabilities wrote of a mask of w x h, and decodes nothing.
func CheckProbabilities(data []byte, w, h int) error {
	_, err := planesOf(data, w, h)
	return err
}

func planesOf(data []byte, w, h int) (int, error) {
	head, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0, fmt.Errorf("its header: %w", err)
	}
	if _, palette := head.ColorModel.(color.Palette); !palette && head.ColorModel != color.GrayModel {
		return 0, errNotGray // 16 bits and colours take eight times as much
	}
	if w < 1 || h < 1 || head.Width > maxMaskPixels/max(head.Height, 1) {
		return 0, fmt.Errorf("it has %d x %d pixels, at most %d are taken", head.Width, head.Height, maxMaskPixels)
	}
	planes := head.Height / max(h, 1)
	if head.Width != w || head.Height != planes*h || planes < 1 || planes > maxPlanes {
		return 0, fmt.Errorf("it has %d x %d pixels, not planes of %d x %d below one another", head.Width, head.Height, w, h)
	}
	return planes, nil
}

// DecodeProbabilities reads what EncodeProbabilities wrote of a mask of w x h. The size is looked at before
// anything is decoded.
func DecodeProbabilities(data []byte, w, h int) ([][]byte, error) {
	planes, err := planesOf(data, w, h)
	if err != nil {
		return nil, err
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var pix []byte
	switch p := picture.(type) {
	case *image.Gray:
		pix = p.Pix
	case *image.Paletted:
		if slices.Equal(p.Palette, grays) {
			pix = p.Pix
		}
	}
	if len(pix) != planes*w*h {
		return nil, errNotGray
	}
	probabilities := make([][]byte, planes)
	for c := range probabilities {
		probabilities[c] = pix[c*w*h:][:w*h]
	}
	return probabilities, nil
}

// grays is the palette of 256 grays from black to white, as the decoder gives it.
var grays = func() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.RGBA{uint8(i), uint8(i), uint8(i), 255}
	}
	return p
}()
