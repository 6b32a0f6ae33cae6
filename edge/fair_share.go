package edge

import (
	"context"
	"slices"
	"sync"
)

// fairShare shares one network among streams: when it is the bottleneck, each gets one frame in before
// any gets a second, so that a fast camera does not crowd out a slow one. A frame waits for its turn in
// its own stream's pipeline, where a live stream's older frames make way for newer ones.
type fairShare struct {
	mu    sync.Mutex
	free  int // places in the network
	queue []*waiter
	held  map[any]int // places by stream
}

type waiter struct {
	stream  any
	granted chan struct{}
}

// newFairShare lets so many frames be in the network at once.
func newFairShare(frames int) *fairShare { return &fairShare{free: frames, held: map[any]int{}} }

// acquire waits for a place. A stream asks for one at a time, so that first come is also in turn.
func (s *fairShare) acquire(ctx context.Context, stream any) error {
	s.mu.Lock()
	if s.free > 0 && len(s.queue) == 0 {
		s.free--
		s.held[stream]++
		s.mu.Unlock()
		return nil
	}
	w := &waiter{stream, make(chan struct{})}
	s.queue = append(s.queue, w)
	s.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.queue, w); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	} else { // it was granted meanwhile
		s.giveBack(stream, 1)
	}
	return context.Cause(ctx)
}

// release gives one place back.
func (s *fairShare) release(stream any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveBack(stream, 1)
}

// leave gives back all places of a stream that has ended, also of frames that never reached the network.
func (s *fairShare) leave(stream any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveBack(stream, s.held[stream])
	delete(s.held, stream)
}

// giveBack passes places on to those that wait. The caller holds mu.
func (s *fairShare) giveBack(stream any, n int) {
	if n = min(n, s.held[stream]); n == 0 {
		return
	}
	s.held[stream] -= n
	s.free += n
	for s.free > 0 && len(s.queue) > 0 {
		next := s.queue[0]
		s.queue = slices.Delete(s.queue, 0, 1)
		s.free--
		s.held[next.stream]++
		close(next.granted)
	}
}
