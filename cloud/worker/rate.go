package worker

import (
	"sync"
	"time"
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
