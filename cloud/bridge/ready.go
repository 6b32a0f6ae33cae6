package bridge

import "errors"

// ErrStandingBy is what Ready says while another bridge holds the lease: all is well, but this one
// carries nothing.
var ErrStandingBy = errors.New("standing by: another bridge is at work")

var (
	errStopped    = errors.New("the bridge does not run")
	errRecovering = errors.New("the bridge is reading what Kafka has, and takes nothing in before it knows")
)

// Ready says why nothing is carried now: the bridge stands by, recovers, or Kafka or the object
// store does not take what is in hand. It is nil while items flow, or would if any came.
func (b *Bridge) Ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready
}

func (b *Bridge) setReady(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = why
}
