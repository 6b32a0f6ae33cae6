// Package uplinktest has what tests of an uplink need.
package uplinktest

import (
	"context"
	"errors"
	"sync"

	"cloudcanvas/shared/event"
)

// Box is a buffer in memory.
type Box struct {
	mu    sync.Mutex
	items map[uint64]event.Item
	fresh []event.Ref
	held  map[uint64]event.PartsHeld
	loads int
	wake  chan struct{}
}

// NewBox is a buffer in which items wait.
func NewBox(items ...event.Item) *Box {
	b := &Box{items: map[uint64]event.Item{}, held: map[uint64]event.PartsHeld{}, wake: make(chan struct{}, 1)}
	b.Add(items...)
	return b
}

// Add commits items.
func (b *Box) Add(items ...event.Item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range items {
		b.items[i.Seq] = i
		b.fresh = append(b.fresh, event.Ref{Seq: i.Seq, Priority: i.Priority, Kind: i.Kind, Stream: i.Stream, Rung: i.Kind.Rung(), Bytes: len(i.Data)})
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Fresh gives at most 1000 at once.
func (b *Box) Fresh() []event.Ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.fresh), 1000)
	f := b.fresh[:n]
	b.fresh = b.fresh[n:]
	return f
}
func (b *Box) Wake() <-chan struct{} { return b.wake }
func (b *Box) Waits(seq uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.items[seq]
	return ok
}
func (b *Box) Load(seq uint64) (event.Item, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loads++
	i, ok := b.items[seq]
	if !ok {
		return i, errors.New("gone")
	}
	return i, nil
}
func (b *Box) Parts(seq uint64) (uint32, []event.Range) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.held[seq]
	return h.Of, h.Have
}
func (b *Box) Number(_ event.Epoch, seq uint64) uint64 { return seq }
func (b *Box) Receive(_ context.Context, r event.Receipt) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for seq := range b.items {
		if r.Has(seq) {
			delete(b.items, seq)
			n++
		}
	}
	for _, p := range r.Parts {
		b.held[p.Seq] = p
	}
	return n, nil
}

// Waiting is how many items wait.
func (b *Box) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
}

// Loads is how often an item was read.
func (b *Box) Loads() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loads
}
