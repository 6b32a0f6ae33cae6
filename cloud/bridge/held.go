package bridge

import (
	"cmp"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"cloudcanvas/shared/event"
)

// held are the parts of one item that rest in the object store while others are missing. Receipts
// name them, so that an edge does not send them again.
type held struct {
	cut
	parts   roaring.Bitmap
	touched uint64 // grows with each part that comes
}

// Bounds of what is told of one edge: whoever has more unfinished items hears of those touched last.
const (
	heldKept = 1024 // items that are kept count of
	heldTold = 64   // items that one receipt names
)

// hold records that a part rests in the store, beside those that a is known to have.
func (l *ledger) hold(a *assembly, part uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.holding(a.cut); h.parts.IsEmpty() {
		h.parts.AddMany(a.parts())
	} else {
		h.parts.Add(part)
	}
}

// lose records that nothing of an item rests in the store any more: all of it must come again.
func (l *ledger) lose(c cut) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding(c).parts.Clear()
}

// holding gives what is held of an item, none of what was cut otherwise, and makes a receipt due.
// The caller holds mu.
func (l *ledger) holding(c cut) *held {
	a := l.account(c.id.edge, c.id.epoch)
	a.used = l.now()
	if a.held == nil {
		a.held = map[uint64]*held{}
	}
	h := a.held[c.id.seq]
	if h == nil && len(a.held) >= heldKept {
		oldest := slices.MinFunc(slices.Collect(maps.Values(a.held)), byTouch)
		delete(a.held, oldest.id.seq)
	}
	if h == nil || h.cut != c {
		h = &held{cut: c}
		a.held[c.id.seq] = h
	}
	l.touches++
	h.touched = l.touches
	l.owe(a)
	return h
}

func byTouch(a, b *held) int { return cmp.Compare(a.touched, b.touched) }

// partsHeld is what a receipt says of unfinished items, the one touched last first.
func (a *account) partsHeld() []event.PartsHeld {
	var told []event.PartsHeld
	left := event.MaxRanges
	for _, h := range slices.Backward(slices.SortedFunc(maps.Values(a.held), byTouch)) {
		if len(told) == heldTold || left == 0 {
			break
		}
		have := h.ranges(left)
		left -= len(have)
		told = append(told, event.PartsHeld{Seq: h.id.seq, Of: h.of, Have: have})
	}
	return told
}

// ranges are the first ranges of parts, at most so many.
func (h *held) ranges(most int) []event.Range {
	ranges := []event.Range{}
	for it := h.parts.Iterator(); it.HasNext(); {
		part := uint64(it.Next())
		if n := len(ranges); n > 0 && ranges[n-1].To+1 == part {
			ranges[n-1].To = part
			continue
		}
		if len(ranges) == most {
			break
		}
		ranges = append(ranges, event.Range{From: part, To: part})
	}
	return ranges
}
