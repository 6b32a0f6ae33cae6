package slots

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"cloudcanvas/cloud/coord"
)

// leases gives every lease at once, and loses the first of slot 3 when lose is closed.
type leases struct{ lose chan struct{} }

func (l leases) Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error {
	held, end := context.WithCancelCause(ctx)
	defer end(nil)
	if what == Lease(3) {
		select {
		case <-l.lose: // again, after it was lost
		default:
			go func() { <-l.lose; end(coord.ErrLost) }()
		}
	}
	return own(held, lease{})
}

func (leases) Join(ctx context.Context, _ coord.Member) error { <-ctx.Done(); return ctx.Err() }

func (leases) Members(ctx context.Context, _ string) (<-chan []coord.Member, error) {
	members := make(chan []coord.Member, 1)
	members <- []coord.Member{{ID: "one"}}
	context.AfterFunc(ctx, func() { close(members) })
	return members, nil
}

type lease struct{ coord.Lease }

func (lease) Epoch() coord.Epoch { return 1 }

// What waits for Kafka or the store ends with the cause of its context, which is that a lease is lost.
func TestALostSlotIsOwnedAgainAndTheBridgeGoesOn(t *testing.T) {
	lose := make(chan struct{})
	works := make(chan Set, 10)
	o := Owner{Leases: leases{lose: lose}, Member: coord.Member{ID: "one"}, Changed: func(Set) {}, Log: slog.New(slog.DiscardHandler),
		Work: func(ctx context.Context, own Owned) error {
			works <- own.Slots
			<-ctx.Done()
			return context.Cause(ctx)
		}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Shared(ctx) }()
	next := func() Set {
		t.Helper()
		select {
		case s := <-works:
			return s
		case err := <-ended:
			t.Fatalf("the bridge has ended: %v", err)
		case <-time.After(time.Minute):
			t.Fatal("nothing works")
		}
		return 0
	}
	if s := next(); s != Every {
		t.Errorf("at first it owns %b", s)
	}
	close(lose)
	for s := next(); s != Every; s = next() {
	}
	cancel()
	<-ended
}
