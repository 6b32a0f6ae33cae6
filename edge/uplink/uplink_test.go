package uplink

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/shared/event"
)

// box is a buffer in memory.
type box struct {
	mu    sync.Mutex
	items map[uint64]event.Item
	fresh []event.Ref
	wake  chan struct{}
}

func newBox(items ...event.Item) *box {
	b := &box{items: map[uint64]event.Item{}, wake: make(chan struct{}, 1)}
	for _, i := range items {
		b.items[i.Seq] = i
		b.fresh = append(b.fresh, event.Ref{Seq: i.Seq, Priority: i.Priority, Bytes: len(i.Data)})
	}
	return b
}

func (b *box) Fresh() []event.Ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.fresh
	b.fresh = nil
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
	i, ok := b.items[seq]
	if !ok {
		return i, errors.New("gone")
	}
	return i, nil
}
func (b *box) Receive(_ context.Context, r event.Receipt) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for seq := range b.items {
		if seq <= r.Through || len(r.Above) > 0 && r.Above[0].From <= seq && seq <= r.Above[0].To {
			delete(b.items, seq)
			n++
		}
	}
	return n, nil
}

// link records what goes over it.
type link struct {
	mu       sync.Mutex
	sent     []event.Item
	refuse   bool
	up       chan struct{}
	receipts chan event.Receipt
}

func newLink() *link {
	l := &link{up: make(chan struct{}), receipts: make(chan event.Receipt, 16)}
	close(l.up)
	return l
}

func (l *link) Send(_ context.Context, i event.Item) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse {
		return errors.New("no")
	}
	l.sent = append(l.sent, i)
	return nil
}
func (l *link) Up() <-chan struct{}            { return l.up }
func (l *link) Receipts() <-chan event.Receipt { return l.receipts }
func (l *link) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent)
}

func item(seq uint64, p event.Priority, size int) event.Item {
	return event.Item{Seq: seq, Epoch: "e", Priority: p, Kind: event.Tile, Data: bytes.Repeat([]byte{byte(seq)}, size)}
}

func running(t *testing.T, b Box, l Link, c Config) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- New(b, l, c, func() {}, slog.New(slog.DiscardHandler)).Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestUrgentItemsGoFirstAndLargeOnesInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.Window, c.PartBytes = 1, 1024
		b, l := newBox(item(1, event.Low, 10), item(2, event.Normal, 2500), item(3, event.Urgent, 10)), newLink()
		stop := running(t, b, l, c)
		synctest.Wait()
		stop()
		var order []uint64
		var whole []byte
		for _, i := range l.sent {
			order = append(order, i.Seq)
			if i.Seq == 2 {
				if i.Kind != event.Part || i.Attrs.Parts != 3 || i.Attrs.PartOf != event.Tile || int(i.Attrs.Part) != len(whole)/1024 {
					t.Errorf("part %+v", i.Attrs)
				}
				whole = append(whole, i.Data...)
			}
		}
		if len(order) != 5 || order[0] != 3 || order[1] != 2 || order[4] != 1 {
			t.Errorf("sent in the order %v", order)
		}
		if !bytes.Equal(whole, b.items[2].Data) {
			t.Error("the parts are not the whole")
		}
	})
}

func TestWithoutAReceiptAnItemGoesAgainAndLaterEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBox(item(1, event.Normal, 10)), newLink()
		stop := running(t, b, l, DefaultConfig())
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {29 * time.Second, 1}, {3 * time.Second, 2}, {57 * time.Second, 2}, {5 * time.Second, 3}} {
			time.Sleep(step.after)
			synctest.Wait()
			if got := l.count(); got != step.want {
				t.Fatalf("after %s more: sent %d times, not %d", step.after, got, step.want)
			}
		}
		l.receipts <- event.Receipt{Epoch: "e", Through: 1}
		time.Sleep(time.Hour)
		synctest.Wait()
		stop()
		if l.count() != 3 || b.Waits(1) {
			t.Errorf("sent %d times, waits %v", l.count(), b.Waits(1))
		}
	})
}

func TestALinkThatRefusesIsTriedAgainAndOneThatIsDownIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBox(item(1, event.Normal, 10)), newLink()
		l.refuse = true
		stop := running(t, b, l, DefaultConfig())
		time.Sleep(5 * time.Second)
		l.mu.Lock()
		l.refuse = false
		l.mu.Unlock()
		time.Sleep(5 * time.Second)
		stop()
		if l.count() != 1 {
			t.Errorf("sent %d times", l.count())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b, l := newBox(item(1, event.Normal, 10)), newLink()
		l.up = make(chan struct{})
		stop := running(t, b, l, DefaultConfig())
		time.Sleep(time.Hour)
		if l.count() != 0 {
			t.Error("sent without a connection")
		}
		close(l.up)
		synctest.Wait()
		stop()
		if l.count() != 1 {
			t.Error("not sent when the connection came")
		}
	})
}

func TestWithAPlainBrokerThePUBACKFrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.Receipts = ReceiptsPUBACK
		b, l := newBox(item(1, event.Normal, 10), item(2, event.Normal, 10)), newLink()
		stop := running(t, b, l, c)
		synctest.Wait()
		stop()
		if b.Waits(1) || b.Waits(2) {
			t.Error("still waits")
		}
	})
}

func TestTheQueueNeverPutsAMoreUrgentItemLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		n := rapid.IntRange(1, 50).Draw(t, "n")
		for seq := range n {
			q.add(event.Ref{Seq: uint64(seq), Priority: event.Priority(rapid.IntRange(0, 3).Draw(t, "priority")), Value: rapid.Float64Range(0, 1).Draw(t, "value"), Bytes: rapid.IntRange(1, 1<<20).Draw(t, "bytes")})
		}
		last := q.best()
		for q.len() > 0 {
			next := q.best()
			if next.Priority < last.Priority || next.Priority == last.Priority && density(next) > density(last) {
				t.Fatalf("%+v after %+v", next, last)
			}
			last = next
		}
	})
}
