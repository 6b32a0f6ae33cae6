package cloud

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/shared/mqtt"
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

// ready is a bridge that carries, or that could take over at once: one that stands by is well when it
// has its connections.
func ready(b *bridge.Bridge, receipts *mqtt.Client) error {
	if err := b.Ready(); err != nil && !errors.Is(err, bridge.ErrStandingBy) {
		return err
	}
	if !receipts.Connected() {
		return fmt.Errorf("the bridge has no connection to the MQTT broker: %w", mqtt.ErrOffline)
	}
	return nil
}

// stepWhile reports to the watchdog that the bridge moves as long as its state can be read; the loops
// that read Kafka do so by themselves.
func (c *Cloud) stepWhile(ctx context.Context, b *bridge.Bridge) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.Status()
			c.Progress.Step()
		}
	}
}
