package edge

import (
	"context"
	"slices"
	"sync"
)

// turns share one network among streams: when it is the bottleneck, each gets one frame in before
// any gets a second, so that a fast camera does not crowd out a slow one. What waits for its turn
// waits in its own lane, where a live stream's older frames make way for newer ones.
type turns struct {
	mu    sync.Mutex
	free  int
	queue []*waiter
	held  map[*cameraLane]int
}

type waiter struct {
	lane    *cameraLane
	granted chan struct{}
}

// newTurns lets so many frames be in the network at once.
func newTurns(frames int) *turns { return &turns{free: frames, held: map[*cameraLane]int{}} }

// take waits for a turn. A lane asks for one at a time, so that first come is also in turn.
func (t *turns) take(ctx context.Context, lane *cameraLane) error {
	t.mu.Lock()
	if t.free > 0 && len(t.queue) == 0 {
		t.free--
		t.held[lane]++
		t.mu.Unlock()
		return nil
	}
	w := &waiter{lane, make(chan struct{})}
	t.queue = append(t.queue, w)
	t.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.queue, w); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
	} else { // it was granted meanwhile
		t.back(lane, 1)
	}
	return context.Cause(ctx)
}

// give ends one turn.
func (t *turns) give(lane *cameraLane) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.back(lane, 1)
}

// leave ends all turns of a lane that has ended, also of frames that never reached the network.
func (t *turns) leave(lane *cameraLane) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.back(lane, t.held[lane])
	delete(t.held, lane)
}

// back passes turns on. The caller holds mu.
func (t *turns) back(lane *cameraLane, n int) {
	if n = min(n, t.held[lane]); n == 0 {
		return
	}
	t.held[lane] -= n
	t.free += n
	for t.free > 0 && len(t.queue) > 0 {
		next := t.queue[0]
		t.queue = slices.Delete(t.queue, 0, 1)
		t.free--
		t.held[next.lane]++
		close(next.granted)
	}
}
