package bridge

import (
	"context"
	"sync"
)

// gate is closed while Kafka or the object store stays away.
type gate struct {
	mu      sync.Mutex
	closed  bool
	changed chan struct{}
}

func newGate() *gate { return &gate{changed: make(chan struct{})} }

// set opens or closes the gate and says whether that is a change.
func (g *gate) set(closed bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == closed {
		return false
	}
	g.closed = closed
	close(g.changed)
	g.changed = make(chan struct{})
	return true
}

// waitOpen waits until the gate is open; it says no when ctx ends.
func (g *gate) waitOpen(ctx context.Context) bool {
	for ctx.Err() == nil {
		g.mu.Lock()
		closed, changed := g.closed, g.changed
		g.mu.Unlock()
		if !closed {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return false
}

// whileOpen is a ctx that ends when the gate closes.
func (g *gate) whileOpen(ctx context.Context) (context.Context, context.CancelFunc) {
	open, cancel := context.WithCancel(ctx)
	g.mu.Lock()
	closed, changed := g.closed, g.changed
	g.mu.Unlock()
	if closed {
		cancel()
	}
	go func() {
		select {
		case <-changed: // the first change of an open gate is its closing
			cancel()
		case <-open.Done():
		}
	}()
	return open, cancel
}
