package linktile

import (
	"encoding/binary"
	"fmt"
)

// RefinementType is the content type of an item that holds a refinement to no loss of a tile that went before.
const RefinementType = MediaType + "; layer=refinement"

// Keeps says whether data is a tile that whoever gets it keeps, for a refinement of it may follow.
func Keeps(data []byte) bool {
	h, err := Head(data)
	return err == nil && h.More && h.Layer == ""
}

// Pair puts a tile and a refinement of it together, as DecodePair reads them.
func Pair(base, refinement []byte) []byte {
	out := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+len(base)+len(refinement)), uint64(len(base)))
	return append(append(out, base...), refinement...)
}

// PairHead is the header of a pair's tile; nothing is decoded.
func PairHead(data []byte) (Header, error) {
	base, _, err := unpair(data)
	if err != nil {
		return Header{}, err
	}
	return Head(base)
}

// DecodePair reads a tile of at most limit pixels with its refinement.
func DecodePair(data []byte, limit int) (Tile, error) {
	base, refinement, err := unpair(data)
	if err != nil {
		return Tile{}, err
	}
	tile, err := Decode(base, limit)
	if err != nil {
		return Tile{}, fmt.Errorf("the tile that is refined: %w", err)
	}
	return Refine(tile, refinement)
}

func unpair(data []byte) (base, refinement []byte, err error) {
	n, used := binary.Uvarint(data)
	if used <= 0 || n > uint64(len(data)-used) {
		return nil, nil, fmt.Errorf("%w: no tile with its refinement", ErrMalformed)
	}
	return data[used:][:n], data[used:][n:], nil
}
