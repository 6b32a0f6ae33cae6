package telemetry

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// Hands are the things that a process does at once, for its watchdog: loops, lanes, native calls. A
// hand at rest is well; one at work must move between two looks; one that waits for what may take any
// time, such as room in a full buffer, is well too. So an idle process is fed, and a hung one is not.
type Hands struct {
	Log *slog.Logger

	mu    sync.Mutex
	all   []*Hand
	stuck []string
}

// Hand is one of them. Safe for concurrent use; one hand may do several works at once.
type Hand struct {
	name  string
	works atomic.Int64 // in hand, less those that wait
	steps atomic.Uint64
	seen  uint64      // steps at the last look
	rests bool        // whether it was at rest then
	check func() bool // instead of steps: whether it is stuck
}

// New is another hand, at rest.
func (h *Hands) New(name string) *Hand { return h.add(&Hand{name: name}) }

// Loop is a hand that is always at work: it must step, also when there is nothing to do.
func (h *Hands) Loop(name string) *Hand {
	hand := &Hand{name: name}
	hand.works.Add(1)
	return h.add(hand)
}

// Watch is a hand that another part of the process knows: stuck says whether it hangs.
func (h *Hands) Watch(name string, stuck func() bool) { h.add(&Hand{name: name, check: stuck}) }

func (h *Hands) add(hand *Hand) *Hand {
	h.mu.Lock()
	defer h.mu.Unlock()
	hand.rests = true
	h.all = append(h.all, hand)
	return hand
}

// Step says that something moved.
func (h *Hand) Step() { h.steps.Add(1) }

// Work says that the hand has something to do, until done is called.
func (h *Hand) Work() (done func()) { return h.during(1) }

// Wait says that the hand is held up by what is watched elsewhere, until done is called.
func (h *Hand) Wait() (done func()) { return h.during(-1) }

func (h *Hand) during(works int64) (done func()) {
	h.works.Add(works)
	return func() {
		h.works.Add(-works)
		h.Step()
	}
}

// hangs says whether the hand was at work at the last look and has not moved since.
func (h *Hand) hangs() bool {
	if h.check != nil {
		return h.check()
	}
	steps, rests := h.steps.Load(), h.works.Load() <= 0
	hangs := !rests && !h.rests && steps == h.seen
	h.seen, h.rests = steps, rests
	return hangs
}

// Moved says whether no hand has hung since the last call, and tells in the log which one does.
func (h *Hands) Moved() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	var stuck []string
	for _, hand := range h.all {
		if hand.hangs() {
			stuck = append(stuck, hand.name)
		}
	}
	if h.Log != nil && !slices.Equal(stuck, h.stuck) {
		if len(stuck) > 0 {
			h.Log.Error("a part of this service hangs: systemd's watchdog hears nothing until it moves again, and restarts the service when that takes too long", "hands", stuck)
		} else {
			h.Log.Info("all parts of this service move again")
		}
	}
	h.stuck = stuck
	return len(stuck) == 0
}
