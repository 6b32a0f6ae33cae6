package worker

import (
	"context"
	"io"
	"sync"
	"time"

	"cloudcanvas/shared/vision"
)

// rate measures items/s while there is something to do: all that runs over the time in which at
// least one run is under way. Runs of several partitions share one network, so a run's own time says
// how many run beside it more than how fast the network is.
type rate struct {
	now func() time.Time // nil: time.Now

	mu      sync.Mutex
	running int
	at      time.Time // until when busy is counted
	busy    time.Duration
	items   float64
}

// remembered is how much busy time the rate is a mean of: older time counts half and less.
const remembered = 10 * time.Second

func (r *rate) clock() time.Time {
	if r.now != nil {
		return r.now()
	}
	return time.Now()
}

// count brings busy up to date. The caller holds mu.
func (r *rate) count() {
	now := r.clock()
	if r.running > 0 {
		r.busy += now.Sub(r.at)
	}
	r.at = now
}

func (r *rate) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count()
	r.running++
}

func (r *rate) end(items int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count()
	r.running--
	r.items += float64(items)
	if r.busy > remembered {
		r.busy /= 2
		r.items /= 2
	}
}

// perSecond is 0 while nothing was measured.
func (r *rate) perSecond() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.items == 0 || r.busy <= 0 {
		return 0
	}
	return r.items / r.busy.Seconds()
}

// throttled is a network that gives at most so many items/s, one run at a time, as a slower machine
// would: for tests of how unequal workers share their work.
type throttled struct {
	Network
	item time.Duration
	turn chan struct{}
}

func throttle(n Network, itemsPerSecond float64) Network {
	return throttled{n, time.Duration(float64(time.Second) / itemsPerSecond), make(chan struct{}, 1)}
}

func (t throttled) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	due := time.NewTimer(time.Duration(len(in)) * t.item)
	defer due.Stop()
	out, err := t.Network.Run(ctx, in)
	select {
	case <-due.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return out, err
}

func (t throttled) Close() error {
	if c, ok := t.Network.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
