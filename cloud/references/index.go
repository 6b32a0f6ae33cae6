package references

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"cloudcanvas/shared/ground"
)

// index lists the views of a system. Changes are numbered from 1 on; list tells these numbers from those of a
// list that was lost.
type index struct {
	system ground.System
	list   string
	change uint64 // the last one
	blocks map[ground.Block]entry
}

// entry is what is known of a view.
type entry struct {
	change uint64
	kept   int64 // Unix seconds of the change
	bytes  uint32
	sum    uint32 // CRC-32 of the view's bytes
}

func newIndex(s ground.System) *index {
	return &index{system: s, list: rand.Text(), blocks: map[ground.Block]entry{}}
}

func indexKey(s ground.System) string { return prefixSystems + s.ID() + "/index" }

func viewKey(s ground.System, b ground.Block) string {
	return prefixSystems + s.ID() + "/" + strconv.FormatInt(b.X, 10) + "_" + strconv.FormatInt(b.Y, 10)
}

const (
	indexForm = "CRI1"
	entrySize = 5 * 8
	maxIndex  = 256 << 20
	maxList   = 64
)

var errIndex = errors.New("not a list of views")

// newest are the blocks with changes above after and, where before is not 0, below before, the last change first.
func (x *index) newest(after, before uint64) []ground.Block {
	var all []ground.Block
	for b, e := range x.blocks {
		if e.change > after && (before == 0 || e.change < before) {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b ground.Block) int { return cmp.Compare(x.blocks[b].change, x.blocks[a].change) })
	return all
}

// bytes are those of all views.
func (x *index) bytes() (sum int64) {
	for _, e := range x.blocks {
		sum += int64(e.bytes)
	}
	return sum
}

func (x *index) marshal() []byte {
	b := append([]byte(indexForm), byte(len(x.list)))
	b = append(b, x.list...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(x.system)))
	b = append(b, x.system...)
	b = binary.BigEndian.AppendUint64(b, x.change)
	for _, at := range x.newest(0, 0) {
		e := x.blocks[at]
		b = binary.BigEndian.AppendUint64(b, uint64(at.X))
		b = binary.BigEndian.AppendUint64(b, uint64(at.Y))
		b = binary.BigEndian.AppendUint64(b, e.change)
		b = binary.BigEndian.AppendUint64(b, uint64(e.kept))
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, e.bytes), e.sum)
	}
	return b
}

func parseIndex(data []byte) (*index, error) {
	if len(data) < 5 || string(data[:4]) != indexForm || int(data[4]) > maxList {
		return nil, errIndex
	}
	x, n := &index{blocks: map[ground.Block]entry{}}, int(data[4])
	if data = data[5:]; len(data) < n+2 {
		return nil, errIndex
	}
	x.list, data = string(data[:n]), data[n:]
	n = int(binary.BigEndian.Uint16(data))
	if data = data[2:]; len(data) < n+8 {
		return nil, errIndex
	}
	x.system, data = ground.System(data[:n]), data[n:]
	x.change, data = binary.BigEndian.Uint64(data), data[8:]
	if x.system.Check() != nil || len(data)%entrySize != 0 {
		return nil, errIndex
	}
	for ; len(data) > 0; data = data[entrySize:] {
		at := ground.Block{X: int64(binary.BigEndian.Uint64(data)), Y: int64(binary.BigEndian.Uint64(data[8:]))}
		e := entry{change: binary.BigEndian.Uint64(data[16:]), kept: int64(binary.BigEndian.Uint64(data[24:])),
			bytes: binary.BigEndian.Uint32(data[32:]), sum: binary.BigEndian.Uint32(data[36:])}
		if e.change == 0 || e.change > x.change || !ground.OnLattice(at) {
			return nil, errIndex
		}
		x.blocks[at] = e
	}
	return x, nil
}

// readIndex reads the list of a system; its error is fs.ErrNotExist where there is none.
func readIndex(ctx context.Context, o Objects, key string) (*index, error) {
	data, err := o.Get(ctx, key, maxIndex)
	if err != nil {
		return nil, err
	}
	x, err := parseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return x, nil
}

// readView reads the view of a block; the empty view where there is none that can be read.
func readView(ctx context.Context, o Objects, s ground.System, b ground.Block) (v ground.View, data []byte, err error) {
	data, err = o.Get(ctx, viewKey(s, b), ground.MaxViewBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil, nil
	}
	if err != nil {
		return v, nil, err
	}
	if v.UnmarshalBinary(data) != nil || v.Bands != s.Bands() {
		return ground.View{}, nil, nil
	}
	return v, data, nil
}
