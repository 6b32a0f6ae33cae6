package bridge

import "errors"

// ErrStandingBy is what Ready says while another bridge holds the lease: all is well, but this one
// carries nothing.
var ErrStandingBy = errors.New("standing by: another bridge is at work")

var (
	errStopped    = errors.New("the bridge does not run")
	errRecovering = errors.New("the bridge is reading what Kafka has, and takes nothing in before it knows")
)

// Ready says why nothing is carried now: the bridge stands by, recovers, has no session with the MQTT
// broker, can't write down what it has seen, or Kafka or the object store does not take what is in
// hand. It is nil while items flow, or would if any came.
func (b *Bridge) Ready() error {
	b.mu.Lock()
	working, why := b.dedup != nil, b.ready
	if why == nil {
		why = b.unsaved
	}
	b.mu.Unlock()
	if intake, watched := b.Intake.(Watched); watched && working && why == nil {
		return intake.Ready()
	}
	return why
}

func (b *Bridge) setReady(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = why
}

// setUnsaved says why the latest checkpoint could not be written, nil once one was, and whether that
// is a change.
func (b *Bridge) setUnsaved(why error) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = (b.unsaved == nil) != (why == nil)
	b.unsaved = why
	return changed
}
