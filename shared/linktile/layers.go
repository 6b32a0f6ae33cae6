package linktile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// A tile can travel in layers, each a refinement of the one before:
//
//	coarse      every CoarseStep-th pixel of every CoarseStep-th row, exact; the mask, the blocks, the voids
//	base        the pixels between, with a bound on the error
//	lossless    what the base is off
//
// A refinement names the digest of the tile that it refines, as that was decoded. Coarse and base may be left
// out: a base is then a tile by itself (Encode), and lossless may follow coarse.

// CoarseStep is how far apart the pixels of a coarse layer are.
const CoarseStep = 8

// Kinds of layers, in Header.Layer. A tile by itself has none.
const (
	LayerCoarse     = "coarse"
	LayerRefinement = "refinement"
)

// ErrOtherBase is that of a refinement of another tile than the one at hand.
var ErrOtherBase = errors.New("a refinement of another tile")

// Digest names a tile as it was decoded.
func (t Tile) Digest() string {
	hash := sha256.New()
	head, _ := json.Marshal(t.Header) // a header that was checked has no infinities
	hash.Write(head)
	var buffer [8 << 10]byte
	for rest := t.Pix; len(rest) > 0; {
		n := min(len(rest), len(buffer)/2)
		for i, v := range rest[:n] {
			binary.LittleEndian.PutUint16(buffer[2*i:], v)
		}
		hash.Write(buffer[:2*n])
		rest = rest[n:]
	}
	for _, kept := range t.Kept {
		hash.Write([]byte{byte(bit(kept))})
	}
	hash.Write(t.Mask)
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// EncodeCoarse writes the coarse layer of a tile.
func (t Tile) EncodeCoarse() ([]byte, error) {
	t.Header.Layer, t.Header.Error = LayerCoarse, nil
	return t.encode()
}

// EncodeRefinement writes what leads from a base, as it was decoded, to the tile with its bounds: from a coarse
// layer to any, from a tile with an error to one without.
func (t Tile) EncodeRefinement(base Tile) ([]byte, error) {
	t.Header.Layer, t.Header.Refines = LayerRefinement, base.Digest()
	t.Header.Grid = base.Layer == LayerCoarse || base.Grid
	t.Kept, t.Mask = base.Kept, base.Mask
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("encode a refinement: %w", err)
	}
	if err := refinable(base, t.Header); err != nil {
		return nil, fmt.Errorf("encode a refinement: %w", err)
	}
	from := base.origins(base.voids(), base.Kept)
	out, err := appendHeader(nil, t.Header)
	if err != nil {
		return nil, err
	}
	pix := slices.Clone(t.Pix)
	if t.Grid {
		from = t.markGrid(from)
	}
	t.fill(pix, base.Pix, from)
	if base.Layer == LayerCoarse {
		return seal(appendSection(out, sectionPixels, encodePixels(t.Header, pix, from))), nil
	}
	residuals, err := encodeResiduals(base, pix, from)
	if err != nil {
		return nil, fmt.Errorf("encode a refinement: %w", err)
	}
	return seal(appendSection(out, sectionResiduals, residuals)), nil
}

// EncodeLayers writes a tile in layers: coarse, with bounds (of each band; nil: without this layer), and without
// loss. It gives them in the order in which they refine each other.
func EncodeLayers(t Tile, bounds []int) ([][]byte, error) {
	data, err := t.EncodeCoarse()
	if err != nil {
		return nil, err
	}
	layers := [][]byte{data}
	base, err := DecodeLayer(data, t.W*t.H)
	steps := [][]int{bounds, nil}
	if bounds == nil {
		steps = steps[1:]
	}
	for _, t.Error = range steps {
		if err != nil {
			return nil, err
		}
		if data, err = t.EncodeRefinement(base); err != nil {
			return nil, err
		}
		layers = append(layers, data)
		base, err = Refine(base, data)
	}
	return layers, err
}

// DecodeLayer reads a coarse layer, or a tile by itself. Between the pixels of a coarse layer it interpolates:
// Layer says so, and Error says nothing about them.
func DecodeLayer(data []byte, limit int) (Tile, error) {
	h, rest, err := open(data, limit)
	if err != nil {
		return Tile{}, err
	}
	return decodeSections(h, rest)
}

// Refine reads a refinement of a base. The base stays as it is.
func Refine(base Tile, data []byte) (Tile, error) {
	h, rest, err := unseal(data)
	if err != nil {
		return Tile{}, err
	}
	if h.Layer != LayerRefinement {
		return Tile{}, fmt.Errorf("%w: no refinement, it is read by itself", ErrMalformed)
	}
	if err := base.check(); err != nil {
		return Tile{}, fmt.Errorf("the base of a refinement: %w", err)
	}
	if digest := base.Digest(); h.Refines != digest {
		return Tile{}, fmt.Errorf("%w: it refines %.32q, this one is %s", ErrOtherBase, h.Refines, digest)
	}
	if err := refinable(base, h); err != nil {
		return Tile{}, err
	}
	sections, err := readSections(rest)
	if err != nil {
		return Tile{}, err
	}
	from := base.origins(base.voids(), base.Kept)
	if h.Grid {
		from = h.markGrid(from)
	}
	out := Tile{Header: h, Pix: make([]uint16, len(base.Pix)), Kept: base.Kept, Mask: base.Mask}
	h.fill(out.Pix, base.Pix, from)
	kind := byte(sectionResiduals)
	if base.Layer == LayerCoarse {
		kind = sectionPixels
	}
	body, ok := sections[kind]
	if !ok || len(sections) != 1 {
		return Tile{}, fmt.Errorf("%w: it does not have the one section of a refinement", ErrMalformed)
	}
	if base.Layer == LayerCoarse {
		err = decodePixels(h, body, out.Pix, from)
	} else {
		err = decodeResiduals(base, body, out.Pix, from)
	}
	if err != nil {
		return Tile{}, err
	}
	h.markVoids(out.Pix, from)
	out.Header.Layer, out.Header.Refines = "", ""
	return out, nil
}

// refinable says whether a header can be that of a refinement of a base.
func refinable(base Tile, h Header) error {
	a, b := base.Header, h
	a.Layer, a.Refines, a.Error, a.Grid = "", "", nil, false
	b.Layer, b.Refines, b.Error, b.Grid = "", "", nil, false
	switch {
	case !reflect.DeepEqual(a, b):
		return fmt.Errorf("%w: its header says other things than its base's", ErrMalformed)
	case h.Grid != (base.Layer == LayerCoarse || base.Grid):
		return fmt.Errorf("%w: it and its base do not agree on what is exact", ErrMalformed)
	case base.Layer == LayerRefinement:
		return fmt.Errorf("%w: its base is a refinement that was not applied", ErrMalformed)
	case base.Layer == "" && slices.ContainsFunc(h.Error, func(e int) bool { return e != 0 }):
		return fmt.Errorf("%w: a refinement of what is not coarse is without loss", ErrMalformed)
	}
	return nil
}

// markGrid marks the pixels of the coarse layer as known.
func (h Header) markGrid(from []uint8) []uint8 {
	if from == nil {
		from = make([]uint8, h.W*h.H)
	}
	for y := 0; y < h.H; y += CoarseStep {
		for x := 0; x < h.W; x += CoarseStep {
			if from[y*h.W+x] == coded {
				from[y*h.W+x] = known
			}
		}
	}
	return from
}

// fill takes over what is known from a base.
func (h Header) fill(pix, base []uint16, from []uint8) {
	n := h.W * h.H
	for i, f := range from {
		if f == leftOut || f == known {
			for b := range h.Bands {
				pix[b*n+i] = base[b*n+i]
			}
		}
	}
}
