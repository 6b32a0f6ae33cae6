package assign_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/cloud/coord/local"
)

// world is a leader and some workers, in a bubble of time.
type world struct {
	t     *testing.T
	space *local.Space
	ctx   context.Context
	c     coord.Coordinator
}

func inWorld(t *testing.T, run func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &world{t, local.NewSpace(), ctx, nil}
		w.c = w.space.Coordinator("leader")
		go assign.Lead(ctx, w.c, map[string]int{"work": 12}, assign.DefaultConfig(), slog.New(slog.DiscardHandler), assign.Hooks{})
		run(w)
		cancel()
		synctest.Wait()
	})
}

func (w *world) join(id string, rate float64) (c coord.Coordinator, leave func()) {
	c = w.space.Coordinator(id)
	ctx, cancel := context.WithCancel(w.ctx)
	go c.Join(ctx, coord.Member{ID: id, Role: coord.Worker, Rates: map[string]float64{"m": rate}})
	synctest.Wait()
	return c, cancel
}

func (w *world) table() map[int]string {
	synctest.Wait()
	value, _, err := w.c.Document(assign.Name).Get(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	table, err := assign.Parse(value)
	if err != nil {
		w.t.Fatal(err)
	}
	return table.Topics["work"]
}

func TestMembersThatComeAndGoAreActedOnAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join("a", 1)
		if got := count(w.table()); got["a"] != 12 {
			t.Fatalf("alone: %v", got)
		}
		_, leave := w.join("b", 2)
		if got := count(w.table()); got["a"] != 4 || got["b"] != 8 {
			t.Fatalf("with b: %v", got)
		}
		leave()
		if got := count(w.table()); got["a"] != 12 || got["b"] != 0 {
			t.Fatalf("after b left: %v", got)
		}
	})
}

func TestChangedRatesAreActedOnOnlyWhenTheyLast(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.join("a", 1)
		w.join("b", 1)
		describe := func(rate float64) {
			if err := a.Describe(w.ctx, coord.Member{ID: "a", Role: coord.Worker, Rates: map[string]float64{"m": rate}}); err != nil {
				t.Fatal(err)
			}
		}
		describe(3)
		time.Sleep(20 * time.Second)
		if got := count(w.table()); got["a"] != 6 {
			t.Fatalf("too soon: %v", got)
		}
		describe(1)
		time.Sleep(20 * time.Second)
		describe(3)
		time.Sleep(20 * time.Second)
		if got := count(w.table()); got["a"] != 6 {
			t.Fatalf("a passing imbalance was acted on: %v", got)
		}
		time.Sleep(30 * time.Second)
		if got := count(w.table()); got["a"] != 9 {
			t.Fatalf("a lasting imbalance was not acted on: %v", got)
		}
	})
}

func TestWorkerFollowsItsPartitions(t *testing.T) {
	inWorld(t, func(w *world) {
		mine, err := assign.Follow(w.ctx, w.c, "work", "a")
		if err != nil {
			t.Fatal(err)
		}
		if got := <-mine; len(got) != 0 {
			t.Fatalf("at first %v", got)
		}
		w.join("a", 1)
		if got := <-mine; len(got) != 12 || !slices.IsSorted(got) {
			t.Fatalf("alone %v", got)
		}
		w.join("b", 1)
		if got := <-mine; len(got) != 6 {
			t.Fatalf("with b %v", got)
		}
	})
}
