package uplink

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
)

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
