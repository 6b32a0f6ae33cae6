package main

import (
	"sync"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// received is what receipts say of the items of one export.
type received struct {
	epoch event.Epoch
	news  chan struct{} // something was confirmed or refused

	mu                 sync.Mutex
	waiting            map[uint64]bool
	confirmed, refused int
}

func newReceived(epoch event.Epoch) *received {
	return &received{epoch: epoch, news: make(chan struct{}, 1), waiting: map[uint64]bool{}}
}

// expect notes an item before it is published.
func (r *received) expect(seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[seq] = true
}

// open is how many items no receipt has named.
func (r *received) open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting)
}

func (r *received) count() (confirmed, refused int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.confirmed, r.refused
}

// take reads a message on the receipts' topic. What is no receipt of this epoch says nothing here.
func (r *received) take(m mqtt.Message) {
	item, err := event.UnmarshalMQTT(m.Payload)
	if err != nil {
		return
	}
	receipt, err := event.ParseReceipt(item)
	if err != nil || receipt.Epoch != r.epoch {
		return
	}
	r.mu.Lock()
	before := len(r.waiting)
	for _, c := range receipt.Conflicts {
		if r.waiting[c.Seq] {
			delete(r.waiting, c.Seq)
			r.refused++
		}
	}
	for seq := range r.waiting {
		if receipt.Has(seq) {
			delete(r.waiting, seq)
			r.confirmed++
		}
	}
	changed := len(r.waiting) != before
	r.mu.Unlock()
	if changed {
		select {
		case r.news <- struct{}{}:
		default:
		}
	}
}
