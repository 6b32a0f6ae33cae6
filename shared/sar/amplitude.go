package sar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"cloudcanvas/shared/linktile"
)

// AmplitudeSide is the side of a tile of amplitude, in pixels.
const AmplitudeSide = 1024

// AmplitudeTile is a rectangle of an image's amplitude in steps of half a dB:
//
//	"CCA1" | Base, 16 bits, little-endian | Level, as a tile of one band (linktile), which also has the place
//
// Level 0 is no data; level n is the amplitude 10^((Base+n-1)/40), in the unit of the image: all tiles of an image
// have the same steps, and Base only says where the 255 levels of this one lie. They span 127 dB; what is
// fainter than level 1 counts as level 1. Of single-look speckle a pixel takes some 5.6 bits: 12 % less than
// zstd makes of it, whose best is the entropy of the levels, because their neighbours tell something of their mean.
type AmplitudeTile struct {
	Width, Height int // of the image: samples and lines
	Col, Row      int // of the tile's first pixel
	Cols, Rows    int // up to AmplitudeSide
	Base          int
	Level         []byte // row by row
}

// ErrNoAmplitude is what is no tile of amplitude, or one out of bounds.
var ErrNoAmplitude = errors.New("not a tile of amplitude")

const (
	amplitudeMagic = "CCA1"
	levels         = 255
)

// Encode packs the tile.
func (t AmplitudeTile) Encode() ([]byte, error) {
	if t.Cols < 1 || t.Rows < 1 || t.Cols > AmplitudeSide || t.Rows > AmplitudeSide || len(t.Level) != t.Cols*t.Rows || t.Base < math.MinInt16 || t.Base > math.MaxInt16 {
		return nil, fmt.Errorf("encode a tile of amplitude: %d x %d pixels, %d levels, base %d", t.Cols, t.Rows, len(t.Level), t.Base)
	}
	none := 0.0
	tile := linktile.Tile{Pix: make([]uint16, len(t.Level)), Header: linktile.Header{W: t.Cols, H: t.Rows, Bands: []string{"amplitude"}, DataType: "Byte",
		Scalings: []linktile.Scaling{{Scale: 1}}, NoData: &none,
		Place: linktile.Place{SceneW: t.Width, SceneH: t.Height, X: t.Col, Y: t.Row, Size: AmplitudeSide, Cols: 1, Rows: 1}}}
	for i, l := range t.Level {
		tile.Pix[i] = uint16(l)
	}
	data, err := tile.Encode()
	if err != nil {
		return nil, err
	}
	return append(binary.LittleEndian.AppendUint16([]byte(amplitudeMagic), uint16(int16(t.Base))), data...), nil
}

// DecodeAmplitude is the inverse of Encode. No number sizes anything before it is bounded.
func DecodeAmplitude(data []byte) (t AmplitudeTile, err error) {
	head := len(amplitudeMagic) + 2
	switch {
	case len(data) < head || string(data[:3]) != amplitudeMagic[:3]:
		return t, fmt.Errorf("%w: it does not begin with %s", ErrNoAmplitude, amplitudeMagic)
	case string(data[:4]) != amplitudeMagic:
		return t, fmt.Errorf("%w: it begins with %.4q and not with %s: a newer device made it", ErrNoAmplitude, data[:4], amplitudeMagic)
	}
	h, err := linktile.Head(data[head:])
	if err != nil {
		return t, fmt.Errorf("%w: %w", ErrNoAmplitude, err)
	}
	if h.W > AmplitudeSide || h.H > AmplitudeSide || len(h.Bands) != 1 || h.DataType != "Byte" || h.Error != nil {
		return t, fmt.Errorf("%w: %d x %d pixels of %d bands of %s", ErrNoAmplitude, h.W, h.H, len(h.Bands), h.DataType)
	}
	tile, err := linktile.Decode(data[head:], AmplitudeSide*AmplitudeSide)
	if err != nil {
		return t, fmt.Errorf("%w: %w", ErrNoAmplitude, err)
	}
	if tile.Kept != nil || tile.Mask != nil {
		return t, fmt.Errorf("%w: parts of it are left out", ErrNoAmplitude)
	}
	p := tile.Place
	t = AmplitudeTile{Width: p.SceneW, Height: p.SceneH, Col: p.X, Row: p.Y, Cols: tile.W, Rows: tile.H,
		Base: int(int16(binary.LittleEndian.Uint16(data[len(amplitudeMagic):]))), Level: make([]byte, len(tile.Pix))}
	for i, v := range tile.Pix {
		t.Level[i] = byte(v)
	}
	return t, nil
}

// Amplitudes are what the levels of a tile stand for; that of level 0 is 0.
func (t AmplitudeTile) Amplitudes() (of [levels + 1]float32) {
	for n := 1; n <= levels; n++ {
		of[n] = float32(math.Pow(10, float64(t.Base+n-1)/40))
	}
	return of
}

// NoAmplitude is the half dB of a pixel without data.
const NoAmplitude = math.MinInt16

// HalfDB writes the amplitudes of samples into half, in steps of half a dB; NoAmplitude is that of what is 0 or no number.
func HalfDB(half []int16, samples []complex64) {
	for i, v := range samples {
		re, im := real(v), imag(v)
		bits := math.Float32bits(re*re + im*im)
		exponent := int(bits >> mantissaBits)
		if exponent == 0 || exponent >= 0xff { // less than 1e-19 or no number
			half[i] = NoAmplitude
			continue
		}
		h := halfOfTwo*float32(exponent-127) + halfOf[bits>>(mantissaBits-tableBits)&(1<<tableBits-1)]
		half[i] = int16(math.Floor(float64(h) + 0.5))
	}
}

const (
	mantissaBits = 23
	tableBits    = 12
	halfOfTwo    = 6.0205999132796239 // 20 · log10(2)
)

// halfOf are the half dB of the mantissas of an intensity, 1 to 2: those of the middle of each step.
var halfOf = func() (t [1 << tableBits]float32) {
	for i := range t {
		t[i] = float32(20 * math.Log10(1+(float64(i)+0.5)/(1<<tableBits)))
	}
	return t
}()

// SetHalfDB makes the tile's levels of half dB, of which row r begins at half[r*stride].
func (t *AmplitudeTile) SetHalfDB(half []int16, stride int) {
	top := NoAmplitude
	for r := range t.Rows {
		for _, h := range half[r*stride : r*stride+t.Cols] {
			top = max(top, int(h))
		}
	}
	t.Level = make([]byte, t.Cols*t.Rows)
	if top == NoAmplitude {
		t.Base = 0
		return
	}
	t.Base = top - (levels - 1)
	for r := range t.Rows {
		for c, h := range half[r*stride : r*stride+t.Cols] {
			if h != NoAmplitude {
				t.Level[r*t.Cols+c] = byte(max(1, int(h)-t.Base+1))
			}
		}
	}
}
