package uplink

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
)

// box is a buffer in memory.
type box struct {
	mu    sync.Mutex
	items map[uint64]event.Item
	fresh []event.Ref
	held  map[uint64]event.PartsHeld
	loads int
	wake  chan struct{}
}

func newBox(items ...event.Item) *box {
	b := &box{items: map[uint64]event.Item{}, held: map[uint64]event.PartsHeld{}, wake: make(chan struct{}, 1)}
	b.add(items...)
	return b
}

func (b *box) add(items ...event.Item) {
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
func (b *box) Fresh() []event.Ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.fresh), 1000)
	f := b.fresh[:n]
	b.fresh = b.fresh[n:]
	return f
}
func (b *box) Wake() <-chan struct{} { return b.wake }
func (b *box) Waits(seq uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.items[seq]
	return ok
}
func (b *box) Load(seq uint64) (event.Item, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loads++
	i, ok := b.items[seq]
	if !ok {
		return i, errors.New("gone")
	}
	return i, nil
}
func (b *box) Parts(seq uint64) (uint32, []event.Range) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.held[seq]
	return h.Of, h.Have
}
func (b *box) Number(_ event.Epoch, seq uint64) uint64 { return seq }
func (b *box) Receive(_ context.Context, r event.Receipt) (int, error) {
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

// sending is a message that went over a link.
type sending struct {
	item event.Item
	at   time.Time // when it was handed over
	left time.Time // when its last byte left the device
}

// link is a link of a rate and a delay (0: none), in the time of the test.
type link struct {
	rate  float64 // bytes per second
	delay time.Duration

	mu       sync.Mutex
	sent     []sending
	busy     time.Time
	refuse   error
	up       chan struct{}
	receipts chan event.Receipt
}

func newLink() *link {
	l := &link{up: make(chan struct{}), receipts: make(chan event.Receipt, 16)}
	close(l.up)
	return l
}

func (l *link) Send(ctx context.Context, i event.Item, handed func()) error {
	l.mu.Lock()
	if l.refuse != nil {
		defer l.mu.Unlock()
		return l.refuse
	}
	s := sending{i, time.Now(), time.Now()}
	if l.rate > 0 {
		if l.busy.After(s.left) {
			s.left = l.busy
		}
		s.left = s.left.Add(time.Duration(float64(len(i.Data)+schedule.Overhead) / l.rate * float64(time.Second)))
		l.busy = s.left
	}
	l.sent = append(l.sent, s)
	l.mu.Unlock()
	handed()
	if wait := time.Until(s.left) + l.delay; wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *link) Up() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}
func (l *link) Receipts() <-chan event.Receipt { return l.receipts }

func (l *link) went() []sending {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

func (l *link) seqs() (seqs []uint64) {
	for _, s := range l.went() {
		seqs = append(seqs, s.item.Seq)
	}
	return seqs
}

func item(seq uint64, p event.Priority, size int) event.Item {
	return event.Item{Seq: seq, Epoch: "e", Priority: p, Kind: event.Tile, Data: bytes.Repeat([]byte{byte(seq)}, size)}
}

func running(t *testing.T, b Box, l Link, c Config, o Options) (u *Uplink, stop func()) {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	u, err := New(b, l, c, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	return u, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
