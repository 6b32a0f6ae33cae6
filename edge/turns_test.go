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
	turns := newTurns(1)
	greedy, modest := &cameraLane{}, &cameraLane{}
	if err := turns.take(t.Context(), greedy); err != nil {
		t.Fatal(err)
	}
	order := make(chan *cameraLane)
	ask := func(lane *cameraLane, waiting int) {
		go func() {
			if turns.take(t.Context(), lane) == nil {
				order <- lane
			}
		}()
		for queued := 0; queued < waiting; {
			turns.mu.Lock()
			queued = len(turns.queue)
			turns.mu.Unlock()
		}
	}
	ask(modest, 1)
	ask(greedy, 2)
	turns.give(greedy)
	if first := <-order; first != modest {
		t.Error("the lane that had its turn got the next one too")
	}
	turns.give(modest)
	if second := <-order; second != greedy {
		t.Error("the turn was not passed on")
	}
}

func TestALaneThatEndsGivesItsTurnsBack(t *testing.T) {
	turns := newTurns(2)
	dead, alive := &cameraLane{}, &cameraLane{}
	for range 2 {
		if err := turns.take(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
	}
	over, stop := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	stop(gone)
	if err := turns.take(over, alive); !errors.Is(err, gone) {
		t.Errorf("a turn that nobody gave: %v", err)
	}
	turns.leave(dead)
	turns.give(dead) // a frame of it comes out of the network late
	if turns.free != 2 || len(turns.queue) != 0 {
		t.Errorf("%d are free, %d wait", turns.free, len(turns.queue))
	}
}

// TestTurnsAreNeitherLostNorMade runs lanes that come, wait, give up and end.
func TestTurnsAreNeitherLostNorMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 4).Draw(t, "slots")
		frames := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 5).Draw(t, "frames")
		quit := rapid.SliceOfN(rapid.Bool(), 5, 5).Draw(t, "quit")
		turns := newTurns(slots)
		var lanes sync.WaitGroup
		for i, n := range frames {
			lane := &cameraLane{}
			lanes.Go(func() {
				defer turns.leave(lane)
				for k := range n {
					ctx, stop := context.WithCancel(context.Background())
					if quit[i] && k%3 == 2 {
						stop()
					}
					if turns.take(ctx, lane) == nil && k < n-1 { // the last is never given back
						turns.give(lane)
					}
					stop()
				}
			})
		}
		lanes.Wait()
		if turns.free != slots || len(turns.queue) != 0 || len(turns.held) != 0 {
			t.Fatalf("%d of %d are free, %d wait, %d lanes hold some", turns.free, slots, len(turns.queue), len(turns.held))
		}
	})
}
