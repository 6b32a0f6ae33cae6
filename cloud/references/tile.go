// Package references keeps what the cloud knows of the ground, for devices that have not seen it: the last clear
// view of each block, made of the tiles that workers decoded and the masks that they found. It lies in the object
// store.
//
//	worker ──▶ references/new/<system>-<item> ──▶ the process with the lease merges ──▶ references/systems/<system>/
//	           what it saw of one tile                                                   <x>_<y>, index ──▶ delivery
//
// Views are a memory, not a record: what is lost of them costs devices some tiles more on the link. Merging is
// the same in any order and as often as one likes, so whoever dies in the middle of it leaves nothing to repair.
package references

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/ground"
)

// Objects is the part of the object store that views need.
type Objects interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	Delete(ctx context.Context, key string) error
	Keys(ctx context.Context, prefix string) ([]string, error)
}

const (
	prefixNew     = "references/new/"
	prefixSystems = "references/systems/"
)

// seen is what one tile showed.
type seen struct {
	system  ground.System
	patches []patch
}

type patch struct {
	block ground.Block
	view  []byte // as ground.View writes it
}

const (
	seenForm  = "CRT1"
	maxBlocks = 1200 // of a tile of 8,192 pixels a side
	maxSeen   = 64 << 20
)

var errSeen = errors.New("not what a worker saw of a tile")

func seenKey(s ground.System, item ulid.ULID) string {
	return prefixNew + s.ID() + "-" + item.String()
}

// look is what an overview shows, as it is kept.
func look(system ground.System, ov ground.Overview, source ground.Source) (s seen, err error) {
	s.system = system
	for _, b := range ov.Blocks() {
		v, any := ov.Patch(b, source)
		if !any {
			continue
		}
		data, err := v.MarshalBinary()
		if err != nil {
			return s, err
		}
		s.patches = append(s.patches, patch{b, data})
	}
	return s, nil
}

// marshal writes: form, the length of the system's name, the name, how many blocks, and of each its place, the
// length of the view, and the view.
func (s seen) marshal() []byte {
	b := binary.BigEndian.AppendUint16([]byte(seenForm), uint16(len(s.system)))
	b = append(b, s.system...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.patches)))
	for _, p := range s.patches {
		b = binary.BigEndian.AppendUint64(b, uint64(p.block.X))
		b = binary.BigEndian.AppendUint64(b, uint64(p.block.Y))
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.view)))
		b = append(b, p.view...)
	}
	return b
}

func parseSeen(data []byte) (s seen, err error) {
	if len(data) < 6 || string(data[:4]) != seenForm {
		return s, errSeen
	}
	n := int(binary.BigEndian.Uint16(data[4:]))
	if data = data[6:]; n+2 > len(data) {
		return s, errSeen
	}
	s.system = ground.System(data[:n])
	if err := s.system.Check(); err != nil {
		return s, fmt.Errorf("%w: %w", errSeen, err)
	}
	blocks := int(binary.BigEndian.Uint16(data[n:]))
	if data = data[n+2:]; blocks > maxBlocks {
		return s, errSeen
	}
	for range blocks {
		if len(data) < 20 {
			return s, errSeen
		}
		p := patch{block: ground.Block{X: int64(binary.BigEndian.Uint64(data)), Y: int64(binary.BigEndian.Uint64(data[8:]))}}
		size := binary.BigEndian.Uint32(data[16:])
		if data = data[20:]; uint64(size) > uint64(len(data)) || !ground.OnLattice(p.block) {
			return s, errSeen
		}
		p.view, data = data[:size], data[size:]
		s.patches = append(s.patches, p)
	}
	if len(data) > 0 {
		return s, errSeen
	}
	return s, nil
}
