package budget

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

func TestWhatIsLargerThanTheBudgetIsRefusedAtOnce(t *testing.T) {
	b := New(100)
	give, err := b.Take(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Take(t.Context(), 101); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "101 bytes") || !strings.Contains(err.Error(), "100 is the limit") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Take(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	give()
	give()
	if give, err = b.Take(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	give()
}

func TestNobodyHasMoreThanTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.Int64Range(1, 1000).Draw(t, "all")
		wants := rapid.SliceOfN(rapid.Int64Range(0, 1200), 1, 40).Draw(t, "wants")
		b := New(all)
		var held atomic.Int64
		var group sync.WaitGroup
		for _, n := range wants {
			group.Go(func() {
				give, err := b.Take(context.Background(), n)
				if (err != nil) != (n > all) {
					t.Errorf("%d of %d: %v", n, all, err)
				}
				if err != nil {
					return
				}
				if now := held.Add(n); now > all {
					t.Errorf("%d of %d are taken", now, all)
				}
				held.Add(-n)
				give()
			})
		}
		group.Wait()
	})
}

func TestANilBudgetHasNoBound(t *testing.T) {
	var b *Bytes
	give, err := b.Take(t.Context(), 1<<60)
	if err != nil || b.Size() != 0 {
		t.Fatal(err)
	}
	give()
}
