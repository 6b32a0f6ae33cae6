package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Figures are how a version has done since it was loaded.
type Figures struct {
	Items  int // seen without an error
	Failed int // that it gave an error for, or an output that can't be right
	// Seconds is the least time of the last runs by their number of items, of sizes that ran a few
	// times: what a run takes when nothing else disturbs it. A run of few items takes more time for
	// each, so only equal sizes can be compared.
	Seconds map[int]float64
}

// figures gathers them.
type figures struct {
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

func (f *figures) ran(items int, took time.Duration) {
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
func (f *figures) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs = nil
}

func (f *figures) fail() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed++
}

func (f *figures) read() Figures {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := Figures{Items: f.items, Failed: f.failed, Seconds: map[int]float64{}}
	for items, r := range maps.All(f.runs) {
		if r.n >= warmup+fewestRuns {
			out.Seconds[items] = r.least().Seconds()
		}
	}
	return out
}

// Add loads a version of a model beside what runs; see Use.
func (s *Shelf) Add(ctx context.Context, name string, needs Needs, open func(context.Context) (Network, error)) error {
	l := s.lines[name]
	if l == nil {
		return fmt.Errorf("model %q is not on this worker's shelf", name)
	}
	return l.add(ctx, needs, open)
}

// Use switches a model to versions that were added, between batches: the current one, the canary that
// sees a share of the items, and the fallback that tries what the current one fails at. Empty is the
// shipped version, and no canary.
func (s *Shelf) Use(name, current, canary, fallback string, share float64) error {
	l := s.lines[name]
	if l == nil {
		return fmt.Errorf("model %q is not on this worker's shelf", name)
	}
	return l.use(current, canary, fallback, share)
}

// Figures are those of a version that is in use; empty is the shipped one.
func (s *Shelf) Figures(name, version string) Figures {
	l := s.lines[name]
	if l == nil {
		return Figures{}
	}
	l.mu.Lock()
	m := l.shipped
	if version != "" {
		m = l.added[version]
	}
	l.mu.Unlock()
	if m == nil {
		return Figures{}
	}
	return m.figures.read()
}
