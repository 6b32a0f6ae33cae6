package parts

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"cloudcanvas/shared/event"
)

// Held are the parts that rest in the object store of the unfinished items of one epoch of an edge.
// Receipts name them, so that the edge does not send them again.
type Held struct {
	items   map[uint64]*held // by number
	touches uint64
}

// held are the parts of one item.
type held struct {
	Cut
	parts   roaring.Bitmap
	touched uint64 // grows with each part that comes
}

// Bounds of what a receipt says: of more unfinished items it names those touched last.
const (
	heldKept = 1024 // items that are kept count of
	heldTold = 64   // items that one receipt names
)

// Hold records that a part rests in the store, beside those that a is known to have.
func (p *Held) Hold(a *Assembly, part uint32) {
	if h := p.of(a.Cut); h.parts.IsEmpty() {
		h.parts.AddMany(a.Parts())
	} else {
		h.parts.Add(part)
	}
}

// Lose records that nothing of an item rests in the store any more: all of it must come again.
func (p *Held) Lose(c Cut) { p.of(c).parts.Clear() }

// Settle forgets an item: Kafka has it, or its edge has dropped it.
func (p *Held) Settle(seq uint64) { delete(p.items, seq) }

// Any says whether there are unfinished items.
func (p *Held) Any() bool { return len(p.items) > 0 }

// of gives what is held of an item, and forgets what was cut otherwise.
func (p *Held) of(c Cut) *held {
	if p.items == nil {
		p.items = map[uint64]*held{}
	}
	h := p.items[c.ID.Seq]
	if h == nil && len(p.items) >= heldKept {
		oldest := slices.MinFunc(slices.Collect(maps.Values(p.items)), byTouch)
		delete(p.items, oldest.ID.Seq)
	}
	if h == nil || h.Cut != c {
		h = &held{Cut: c}
		p.items[c.ID.Seq] = h
	}
	p.touches++
	h.touched = p.touches
	return h
}

func byTouch(a, b *held) int { return cmp.Compare(a.touched, b.touched) }

// Receipt is what a receipt says of unfinished items, the one touched last first.
func (p *Held) Receipt() []event.PartsHeld {
	var named []event.PartsHeld
	left := event.MaxRanges
	for _, h := range slices.Backward(slices.SortedFunc(maps.Values(p.items), byTouch)) {
		if len(named) == heldTold || left == 0 {
			break
		}
		have := Ranges(roaring.Values(&h.parts), left)
		left -= len(have)
		named = append(named, event.PartsHeld{Seq: h.ID.Seq, Of: h.Cut.Of, Have: have})
	}
	return named
}

// Ranges are the first ranges of ascending numbers, at most so many.
func Ranges[N uint32 | uint64](numbers iter.Seq[N], most int) []event.Range {
	ranges := []event.Range{}
	for number := range numbers {
		number := uint64(number)
		if n := len(ranges); n > 0 && ranges[n-1].To+1 == number {
			ranges[n-1].To = number
			continue
		}
		if len(ranges) == most {
			break
		}
		ranges = append(ranges, event.Range{From: number, To: number})
	}
	return ranges
}
