package edge

import (
	"context"
	"errors"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestEachLaneGetsItsTurnBeforeAnyGetsASecond has a greedy lane and a modest one.
func TestEachLaneGetsItsTurnBeforeAnyGetsASecond(t *testing.T) {
	share := newFairShare(1)
	greedy, modest := &cameraPipeline{}, &cameraPipeline{}
	if err := share.acquire(t.Context(), greedy); err != nil {
		t.Fatal(err)
	}
	order := make(chan *cameraPipeline)
	ask := func(lane *cameraPipeline, waiting int) {
		go func() {
			if share.acquire(t.Context(), lane) == nil {
				order <- lane
			}
		}()
		for queued := 0; queued < waiting; {
			share.mu.Lock()
			queued = len(share.queue)
			share.mu.Unlock()
		}
	}
	ask(modest, 1)
	ask(greedy, 2)
	share.release(greedy)
	if first := <-order; first != modest {
		t.Error("the lane that had its turn got the next one too")
	}
	share.release(modest)
	if second := <-order; second != greedy {
		t.Error("the turn was not passed on")
	}
}

func TestALaneThatEndsGivesItsTurnsBack(t *testing.T) {
	share := newFairShare(2)
	dead, alive := &cameraPipeline{}, &cameraPipeline{}
	for range 2 {
		if err := share.acquire(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
	}
	over, stop := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	stop(gone)
	if err := share.acquire(over, alive); !errors.Is(err, gone) {
		t.Errorf("a turn that nobody gave: %v", err)
	}
	share.leave(dead)
	share.release(dead) // a frame of it comes out of the network late
	if share.free != 2 || len(share.queue) != 0 {
		t.Errorf("%d are free, %d wait", share.free, len(share.queue))
	}
}

// TestTurnsAreNeitherLostNorMade runs lanes that come, wait, give up and end.
func TestTurnsAreNeitherLostNorMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 4).Draw(t, "slots")
		frames := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 5).Draw(t, "frames")
		quit := rapid.SliceOfN(rapid.Bool(), 5, 5).Draw(t, "quit")
		share := newFairShare(slots)
		var lanes sync.WaitGroup
		for i, n := range frames {
			lane := &cameraPipeline{}
			lanes.Go(func() {
				defer share.leave(lane)
				for k := range n {
					ctx, stop := context.WithCancel(context.Background())
					if quit[i] && k%3 == 2 {
						stop()
					}
					if share.acquire(ctx, lane) == nil && k < n-1 { // the last is never given back
						share.release(lane)
					}
					stop()
				}
			})
		}
		lanes.Wait()
		if share.free != slots || len(share.queue) != 0 || len(share.held) != 0 {
			t.Fatalf("%d of %d are free, %d wait, %d lanes hold some", share.free, slots, len(share.queue), len(share.held))
		}
	})
}
