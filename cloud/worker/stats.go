package worker

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Stats are how a version has done since it was loaded.
type Stats struct {
	Items  int // seen without an error
	Failed int // that it gave an error for, or an output that can't be right
	// Seconds is the least time of the last runs by their number of items, of sizes that ran a few
	// times: what a run takes when nothing else disturbs it. A run of few items takes more time for
	// each, so only equal sizes can be compared.
	Seconds map[int]float64
}

// versionStats gathers them.
type versionStats struct {
	mu            sync.Mutex
	items, failed int
	runs          map[int]*runs
}

type runs struct {
	n    int
	last [lastRuns]time.Duration
}

const (
	// warmup is how many runs of a size are not counted: the first are slower.
	warmup = 2
	// fewestRuns is how many runs of a size say something of it.
	fewestRuns = 8
	lastRuns   = 15
)

// least is the fastest of the last runs.
func (r *runs) least() time.Duration { return slices.Min(r.last[:min(r.n-warmup, lastRuns)]) }

func (f *versionStats) ran(items int, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items += items
	if f.runs == nil {
		f.runs = map[int]*runs{}
	}
	r := f.runs[items]
	if r == nil {
		r = &runs{}
		f.runs[items] = r
	}
	if r.n++; r.n > warmup {
		r.last[(r.n-warmup-1)%lastRuns] = took
	}
}

// restart forgets how long runs took, and keeps what failed.
func (f *versionStats) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs = nil
}

func (f *versionStats) fail() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed++
}

func (f *versionStats) read() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := Stats{Items: f.items, Failed: f.failed, Seconds: map[int]float64{}}
	for items, r := range maps.All(f.runs) {
		if r.n >= warmup+fewestRuns {
			out.Seconds[items] = r.least().Seconds()
		}
	}
	return out
}

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
