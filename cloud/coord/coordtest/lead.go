package coordtest

import (
	"context"
	"errors"
	"testing"

	"cloudcanvas/cloud/coord"
)

// term is one time of leading.
type term struct {
	who   string
	epoch coord.Epoch
	ctx   context.Context
	leave chan struct{}
}

// compete leads whenever it can, and tells of each term.
func compete(ctx context.Context, p Party, who string, terms chan<- term) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ended <- p.Lead(ctx, "assignments", func(ctx context.Context, e coord.Epoch) error {
			now := term{who, e, ctx, make(chan struct{})}
			select {
			case terms <- now:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-now.leave:
				return nil
			}
		})
	}()
	return ended
}

func oneLeads(t *testing.T, g Group) {
	ctx := background(t)
	terms := make(chan term)
	ended := map[string]<-chan error{}
	for _, who := range []string{"a", "b", "c"} {
		ended[who] = compete(ctx, g.Open(t, who), who, terms)
	}
	var last coord.Epoch
	led := map[string]bool{}
	for range 3 {
		now := receive(t, terms, "a leader")
		if now.epoch <= last || led[now.who] {
			t.Errorf("%s leads with epoch %d after %d; led before: %v", now.who, now.epoch, last, led)
		}
		select {
		case other := <-terms:
			t.Fatalf("%s and %s lead at once", now.who, other.who)
		default:
		}
		last, led[now.who] = now.epoch, true
		close(now.leave)
		if err := receive(t, ended[now.who], "Lead to return once it is given up"); err != nil {
			t.Error(err)
		}
	}
}

func leaderIsTold(t *testing.T, g Group) {
	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, b := g.Open(t, "a"), g.Open(t, "b")
	terms := make(chan term)
	endedA := compete(stop, a, "a", terms)
	first := receive(t, terms, "a to lead")
	endedB := compete(stop, b, "b", terms)
	a.Cut()
	second := receive(t, terms, "leadership to pass")
	if first.ctx.Err() == nil {
		t.Fatal("another leads while the first leader was told nothing")
	}
	if !errors.Is(context.Cause(first.ctx), coord.ErrLost) {
		t.Errorf("the first term ended for %v", context.Cause(first.ctx))
	}
	a.Heal()
	if second.epoch <= first.epoch {
		t.Errorf("epoch %d after %d", second.epoch, first.epoch)
	}
	if second.who == "b" {
		close(second.leave)
		if err := receive(t, endedB, "b to be done"); err != nil {
			t.Error(err)
		}
		if third := receive(t, terms, "a to lead again by itself"); third.who != "a" || third.epoch <= second.epoch {
			t.Errorf("then leads %s with epoch %d after %d", third.who, third.epoch, second.epoch)
		}
	}
	cancel()
	if err := receive(t, endedA, "Lead to end with its ctx"); !errors.Is(err, context.Canceled) {
		t.Errorf("Lead ended with %v", err)
	}
}
