package uplink

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/soak"
)

// endless is a buffer of small items that come as fast as they go, over a backlog; a link that takes
// everything; and a cloud that has what it gets.
type endless struct {
	mu       sync.Mutex
	next     uint64
	gone     map[uint64]bool
	fresh    []event.Ref
	wake     chan struct{}
	up       chan struct{}
	receipts chan event.Receipt
	sent     int
	until    int
	done     chan struct{}
	last     []uint64
}

func newEndless(backlog, until int) *endless {
	e := &endless{gone: map[uint64]bool{}, wake: make(chan struct{}, 1), up: make(chan struct{}), receipts: make(chan event.Receipt, 64), until: until, done: make(chan struct{})}
	close(e.up)
	for range max(backlog, 64) {
		e.commit()
	}
	return e
}

func (e *endless) commit() {
	e.next++
	e.fresh = append(e.fresh, event.Ref{Seq: e.next, Priority: event.Normal, Rung: event.RungTile, Value: float64(e.next*7919%1000) / 1000, Bytes: 1000})
}

func (e *endless) Fresh() []event.Ref {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(e.fresh), 4096)
	f := e.fresh[:n:n]
	e.fresh = e.fresh[n:]
	return f
}
func (e *endless) Wake() <-chan struct{} { return e.wake }
func (e *endless) Waits(seq uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.gone[seq]
}
func (e *endless) Parts(uint64) (uint32, []event.Range)    { return 0, nil }
func (e *endless) Load(seq uint64) (event.Item, error)     { return item(seq, event.Normal, 1000), nil }
func (e *endless) Number(_ event.Epoch, seq uint64) uint64 { return seq }
func (e *endless) Receive(_ context.Context, r event.Receipt) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range r.Above {
		e.gone[a.From] = true
	}
	return len(r.Above), nil
}
func (e *endless) Send(_ context.Context, i event.Item, _ func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = append(e.last, i.Seq)
	if e.sent++; e.sent == e.until {
		close(e.done)
	}
	e.commit()
	select {
	case e.wake <- struct{}{}:
	default:
	}
	if len(e.last) == 100 {
		r := event.Receipt{Epoch: "e"}
		for _, seq := range e.last {
			r.Above = append(r.Above, event.Range{From: seq, To: seq})
		}
		select {
		case e.receipts <- r:
			e.last = nil
		default: // with the next
		}
	}
	return nil
}
func (e *endless) Up() <-chan struct{}            { return e.up }
func (e *endless) Receipts() <-chan event.Receipt { return e.receipts }

// drain is how long so many sendings take over a backlog.
func drain(t testing.TB, backlog, sendings int) time.Duration {
	e := newEndless(backlog, sendings)
	u, err := New(e, e, DefaultConfig(), Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for { // a device that has been running holds its backlog already
		if u.takeFresh() == nil {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	start := time.Now()
	go func() { defer close(done); u.Run(ctx) }()
	<-e.done
	took := time.Since(start)
	cancel()
	<-done
	return took
}

// The rate itself is not checked here: only that a backlog does not slow it down. $CANVAS_SOAK asks for
// the whole half million.
func TestABacklogDrainsAsFastAsAnEmptyBufferSends(t *testing.T) {
	backlog, sendings := 30_000, 2000
	if soak.Asked() {
		backlog, sendings = 500_000, 50_000
	}
	best, least := 0.0, 0.2 // what costs time by the item of a backlog stays far below it
	if soak.Timed() {
		least = 0.8
	}
	for range 5 { // by turns, for the machine may be busy
		best = max(best, float64(drain(t, 0, sendings))/float64(drain(t, backlog, sendings)))
		if best >= least {
			return
		}
	}
	t.Errorf("over a backlog of %d items sending runs at %.2f of the rate with none", backlog, best)
}
