package sar

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// Media types of the radar's items.
const (
	// EchoesType is a block of raw lines with the plan: a worker makes the image's rows of it (want: focus).
	EchoesType = "application/vnd.cloudcanvas.echoes"
	// RowsType is rows of a focused image, complex.
	RowsType = "application/vnd.cloudcanvas.slc"
	// AmplitudeType is a tile of an image's amplitude in steps of dB, as a device sends it before the echoes.
	AmplitudeType = "application/vnd.cloudcanvas.amplitude"
)

// ErrMalformed is wrapped by all that is said of bytes that are no block of echoes and no rows.
var ErrMalformed = errors.New("malformed")

const (
	magicEchoes = "CCE1"
	magicRows   = "CCS1"
	maxHeader   = 1 << 20 // bytes, as JSON
)

// echoesHeader is what a block of echoes says of itself.
type echoesHeader struct {
	Plan  *Plan `json:"plan"`
	Block int   `json:"block"`
	Gains bool  `json:"gains,omitempty"` // there is one for each line
}

// EncodeEchoes packs a block without loss; DecodeEchoes checks and unpacks it. What it holds is bounded before it
// sizes anything.
func EncodeEchoes(p *Plan, b Block, raw []byte, gains []float32) ([]byte, error) {
	if err := p.fits(b, raw, gains); err != nil {
		return nil, fmt.Errorf("encode echoes: %w", err)
	}
	head, err := json.Marshal(echoesHeader{p, b.Index, gains != nil})
	if err != nil {
		return nil, fmt.Errorf("encode echoes: the plan: %w", err)
	}
	if len(head) > maxHeader {
		return nil, fmt.Errorf("encode echoes: the plan has %d bytes, %d are possible: leave out state vectors of the orbit that lie far away", len(head), maxHeader)
	}
	factors := make([]byte, 4*len(gains))
	for i, v := range gains {
		binary.LittleEndian.PutUint32(factors[4*i:], math.Float32bits(v))
	}
	out := []byte(magicEchoes)
	for _, part := range [][]byte{head, factors} {
		out = appendPart(out, part)
	}
	return seal(appendNumbers(out, raw, p.Params.Format.number())), nil
}

// DecodeEchoes is the inverse of EncodeEchoes.
func DecodeEchoes(data []byte) (p *Plan, b Block, raw []byte, gains []float32, err error) {
	fail := func(err error) (*Plan, Block, []byte, []float32, error) {
		return nil, Block{}, nil, nil, fmt.Errorf("decode echoes: %w", err)
	}
	h, rest, err := openEchoes(data)
	if err != nil {
		return fail(err)
	}
	p, b = h.Plan, h.Plan.Blocks[h.Block]
	_, lines := p.Stored(b)
	want := 0
	if h.Gains {
		want = 4 * lines
	}
	factors, rest, err := takePart(rest, want, want)
	if err != nil {
		return fail(err)
	}
	if h.Gains {
		gains = make([]float32, lines)
	}
	for i := range gains {
		gains[i] = math.Float32frombits(binary.LittleEndian.Uint32(factors[4*i:]))
		if most := float32(math.Pow(10, maxAGC/20)); !(gains[i] >= 0 && gains[i] <= most) {
			return fail(fmt.Errorf("%w: the gain of line %d is %v", ErrMalformed, i, gains[i]))
		}
	}
	want = lines * p.Params.Samples * p.Params.Format.Bytes()
	raw, rest, err = takeNumbers(rest, want, p.Params.Format.number())
	if err != nil {
		return fail(err)
	}
	if len(rest) > 0 {
		return fail(fmt.Errorf("%w: %d bytes follow its end", ErrMalformed, len(rest)))
	}
	return p, b, raw, gains, nil
}

// openEchoes checks a packed block's header; rest are its lines, packed.
func openEchoes(data []byte) (h echoesHeader, rest []byte, err error) {
	if rest, err = unseal(data, magicEchoes); err != nil {
		return h, nil, err
	}
	head, rest, err := takePart(rest, 0, maxHeader)
	if err != nil {
		return h, nil, err
	}
	if err := json.Unmarshal(head, &h); err != nil {
		return h, nil, fmt.Errorf("%w: its header: %w", ErrMalformed, err)
	}
	if p := h.Plan; p == nil || h.Block < 0 || h.Block >= len(p.Blocks) {
		return h, nil, fmt.Errorf("%w: block %d is none of its plan's", ErrMalformed, h.Block)
	}
	if err := h.Plan.Check(); err != nil {
		return h, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return h, rest, nil
}

// EchoesHead is the plan of a packed block, and which of its blocks it is, without its lines.
func EchoesHead(data []byte) (*Plan, Block, error) {
	h, _, err := openEchoes(data)
	if err != nil {
		return nil, Block{}, fmt.Errorf("decode echoes: %w", err)
	}
	return h.Plan, h.Plan.Blocks[h.Block], nil
}

// maxRowsBytes bounds the pixels of one message of rows.
const maxRowsBytes = 1 << 33

// EncodeRows packs rows of an image without loss.
func EncodeRows(im *Image) ([]byte, error) {
	if im.Rows < 1 || im.Cols < 1 || len(im.Pix) != im.Rows*im.Cols || im.FirstRow < 0 || im.Rows > maxLines || im.FirstRow > maxLines || im.Cols > maxSamples {
		return nil, fmt.Errorf("encode rows: %d rows of %d from %d have %d pixels", im.Rows, im.Cols, im.FirstRow, len(im.Pix))
	}
	out := []byte(magicRows)
	for _, n := range []int{im.FirstRow, im.Rows, im.Cols} {
		out = binary.AppendUvarint(out, uint64(n))
	}
	return seal(appendNumbers(out, bytesOf(im.Pix), 4)), nil
}

// DecodeRows is the inverse of EncodeRows.
func DecodeRows(data []byte) (*Image, error) {
	rest, err := unseal(data, magicRows)
	if err != nil {
		return nil, fmt.Errorf("decode rows: %w", err)
	}
	var n [3]uint64
	for i := range n {
		v, k := binary.Uvarint(rest)
		if k <= 0 || v > maxLines {
			return nil, fmt.Errorf("decode rows: %w: its header is cut short or too large", ErrMalformed)
		}
		n[i], rest = v, rest[k:]
	}
	if n[1] < 1 || n[2] < 1 || n[2] > maxSamples || n[1]*n[2]*8 > maxRowsBytes {
		return nil, fmt.Errorf("decode rows: %w: %d rows of %d", ErrMalformed, n[1], n[2])
	}
	numbers, rest, err := takeNumbers(rest, int(n[1]*n[2]*8), 4)
	if err != nil {
		return nil, fmt.Errorf("decode rows: %w", err)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("decode rows: %w: %d bytes follow its end", ErrMalformed, len(rest))
	}
	pix := unsafe.Slice((*complex64)(unsafe.Pointer(unsafe.SliceData(numbers))), n[1]*n[2])
	return &Image{FirstRow: int(n[0]), Rows: int(n[1]), Cols: int(n[2]), Pix: pix}, nil
}

// bytesOf are pixels as they lie in memory: little endian on all that this runs on.
func bytesOf(pix []complex64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(pix))), 8*len(pix))
}
