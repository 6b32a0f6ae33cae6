package bridge

import (
	"context"
	"sync"
)

// outage is whether Kafka or the object store has been away for so long that nothing is taken in.
type outage struct {
	mu      sync.Mutex
	on      bool
	changed chan struct{}
}

func newOutage() *outage { return &outage{changed: make(chan struct{})} }

// set begins or ends an outage, and says whether that is a change.
func (o *outage) set(on bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.on == on {
		return false
	}
	o.on = on
	close(o.changed)
	o.changed = make(chan struct{})
	return true
}

// waitOver waits until there is none; it is false when ctx ends.
func (o *outage) waitOver(ctx context.Context) bool {
	for ctx.Err() == nil {
		o.mu.Lock()
		on, changed := o.on, o.changed
		o.mu.Unlock()
		if !on {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return false
}

// whileNone is a ctx that ends when an outage begins.
func (o *outage) whileNone(ctx context.Context) (context.Context, context.CancelFunc) {
	none, cancel := context.WithCancel(ctx)
	o.mu.Lock()
	on, changed := o.on, o.changed
	o.mu.Unlock()
	if on {
		cancel()
	}
	go func() {
		select {
		case <-changed: // the first change is that one begins
			cancel()
		case <-none.Done():
		}
	}()
	return none, cancel
}
