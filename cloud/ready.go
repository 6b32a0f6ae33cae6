package cloud

import (
	"errors"
	"sync"
)

// Readiness is what a process answers to /readyz while its parts come and go. The zero value says
// that it is still connecting.
type Readiness struct {
	mu  sync.Mutex
	ask func() error
}

var errConnecting = errors.New("still connecting to Kafka, the object store and the coordinator")

// Follow lets ask answer from now on.
func (r *Readiness) Follow(ask func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ask = ask
}

// Ready says why the process can't do its work now, or nil.
func (r *Readiness) Ready() error {
	r.mu.Lock()
	ask := r.ask
	r.mu.Unlock()
	if ask == nil {
		return errConnecting
	}
	return ask()
}
