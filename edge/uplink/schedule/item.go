package schedule

import (
	"math/bits"
	"time"

	"cloudcanvas/shared/event"
)

// item is one that has begun: which of its parts must still go.
type item struct {
	entry     entry
	of        uint32
	toSend    uint32   // parts to send
	flying    uint32   // parts under way
	missing   []uint64 // bits of the parts to send
	cursor    uint32   // nothing is missing below
	held      bool     // the cloud is known to hold parts: the cut stays
	due       time.Time
	notBefore time.Time // a part of it failed: the others wait as well
	unsure    bool      // some of it was sent over a connection that is gone
	here      bool      // all of it was sent over this connection
}

func newItem(e entry, partBytes int) *item {
	i := &item{entry: e}
	i.recut(cut(e.bytes, partBytes))
	return i
}

// cut is into how many parts so many bytes go.
func cut(bytes uint32, partBytes int) uint32 {
	return uint32(min(max((int64(bytes)+int64(partBytes)-1)/int64(partBytes), 1), maxParts))
}

// cutWire is how many bytes the largest part of an item and the whole of it would be on the link.
func cutWire(e *entry, partBytes int) (part, whole int64) {
	of := int64(cut(e.bytes, partBytes))
	return (int64(e.bytes)+of-1)/of + Overhead, int64(e.bytes) + of*Overhead
}

// recut begins anew with so many parts, all to send.
func (i *item) recut(of uint32) {
	i.of, i.toSend, i.cursor, i.flying = of, of, 0, 0
	i.missing = make([]uint64, (of+63)/64)
	for w := range i.missing {
		i.missing[w] = ^uint64(0)
	}
	if rest := of % 64; rest > 0 {
		i.missing[len(i.missing)-1] = 1<<rest - 1
	}
}

// refit cuts an item anew whose first parts, sent before the rate of the link was known, turn out far
// too large for it. They are given up; the cloud begins anew with the new cut.
func (i *item) refit(partBytes int) {
	fit := cut(i.entry.bytes, partBytes)
	if fit >= 3*i.of && !i.held && i.of-i.toSend <= 2 {
		i.recut(fit)
	}
}

// next is the first part to send; left must not be 0.
func (i *item) next() uint32 {
	for w := i.cursor / 64; int(w) < len(i.missing); w++ {
		if i.missing[w] != 0 {
			i.cursor = w*64 + uint32(bits.TrailingZeros64(i.missing[w]))
			return i.cursor
		}
	}
	return 0
}

func (i *item) wire(n uint32) int64 {
	from, to := event.Span(int(i.entry.bytes), n, i.of)
	return int64(to-from) + Overhead
}

func (i *item) lacks(n uint32) bool { return i.missing[n/64]&(1<<(n%64)) != 0 }

func (i *item) clear(n uint32) {
	if i.lacks(n) {
		i.missing[n/64] &^= 1 << (n % 64)
		i.toSend--
	}
}

func (i *item) fly(n uint32) {
	i.clear(n)
	i.flying++
}

func (i *item) again(n uint32) {
	if !i.lacks(n) {
		i.missing[n/64] |= 1 << (n % 64)
		i.toSend++
		i.cursor = min(i.cursor, n)
	}
}

// hold notes parts that the cloud has.
func (i *item) hold(have []event.Range) {
	i.held = i.held || len(have) > 0
	for _, r := range have {
		for n := r.From; n <= r.To && n < uint64(i.of); n++ {
			i.clear(uint32(n))
		}
	}
}
