package edge

import (
	"context"
	"errors"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestEachStreamGetsAPlaceBeforeAnyGetsASecond has a greedy stream and a modest one.
func TestEachStreamGetsAPlaceBeforeAnyGetsASecond(t *testing.T) {
	share := newFairShare(1)
	greedy, modest := &cameraPipeline{}, &cameraPipeline{}
	if err := share.acquire(t.Context(), greedy); err != nil {
		t.Fatal(err)
	}
	order := make(chan *cameraPipeline)
	ask := func(stream *cameraPipeline, waiting int) {
		go func() {
			if share.acquire(t.Context(), stream) == nil {
				order <- stream
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
		t.Error("the stream that had its turn got the next place too")
	}
	share.release(modest)
	if second := <-order; second != greedy {
		t.Error("the place was not passed on")
	}
}

func TestAStreamThatEndsGivesItsPlacesBack(t *testing.T) {
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
		t.Errorf("a place that was not given: %v", err)
	}
	share.leave(dead)
	share.release(dead) // a frame of it comes out of the network late
	if share.free != 2 || len(share.queue) != 0 {
		t.Errorf("%d are free, %d wait", share.free, len(share.queue))
	}
}

// TestPlacesAreNeitherLostNorMade runs streams that come, wait, give up and end.
func TestPlacesAreNeitherLostNorMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 4).Draw(t, "slots")
		frames := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 5).Draw(t, "frames")
		quit := rapid.SliceOfN(rapid.Bool(), 5, 5).Draw(t, "quit")
		share := newFairShare(slots)
		var streams sync.WaitGroup
		for i, n := range frames {
			stream := &cameraPipeline{}
			streams.Go(func() {
				defer share.leave(stream)
				for k := range n {
					ctx, stop := context.WithCancel(context.Background())
					if quit[i] && k%3 == 2 {
						stop()
					}
					if share.acquire(ctx, stream) == nil && k < n-1 { // the last is never given back
						share.release(stream)
					}
					stop()
				}
			})
		}
		streams.Wait()
		if share.free != slots || len(share.queue) != 0 || len(share.held) != 0 {
			t.Fatalf("%d of %d are free, %d wait, %d streams hold some", share.free, slots, len(share.queue), len(share.held))
		}
	})
}
