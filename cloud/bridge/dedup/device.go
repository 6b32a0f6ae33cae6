package dedup

import (
	"slices"
	"time"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
)

// device is what the bridge knows of one edge beside its epochs.
type device struct {
	edge   string
	epochs map[event.Epoch]*epochState
	// newer says that the edge's program reads conflicts in receipts: its status names its epochs.
	newer  bool
	named  []event.Epoch // in its latest status
	twin   twin
	weight uint64 // of all its epochs
	rates
}

// maxEpochs bounds the epochs of one edge that are remembered: every start of an agent begins one.
// One in which nothing is missing costs some 300 bytes, and 150 in a checkpoint.
const maxEpochs = 256

// settledFor is how long an epoch in which nothing is missing, and that its edge no longer names, is
// kept: as long as the MQTT broker may still hold something of it.
const settledFor = 24 * time.Hour

// leastNeeded is the epoch that is forgotten first: one in which nothing is missing rather than one
// with a gap, one that the edge's latest status does not name rather than one that it does, and of
// those alike the one used least recently.
func (d *device) leastNeeded() *epochState {
	var least *epochState
	for _, a := range d.epochs {
		if least == nil || a.need() < least.need() || a.need() == least.need() && a.used.Before(least.used) {
			least = a
		}
	}
	return least
}

func (a *epochState) need() (need int) {
	if a.above != nil || a.held.Any() {
		need++
	}
	if slices.Contains(a.of.named, a.epoch) {
		need += 2
	}
	return need
}

// Tidy forgets the epochs that are settled: complete, no longer named by an edge that names those
// that matter, and long unused.
func (l *State) Tidy() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, edges := range l.slots {
		for _, d := range edges {
			if !d.newer || len(d.named) == event.MaxEpochs { // then there may be more that it can't name
				continue
			}
			for _, a := range d.epochs {
				if a.need() == 0 && now.Sub(a.used) > settledFor && !a.unsaved && !a.sending {
					l.forget(a)
				}
			}
		}
	}
}

// Greet takes in what an edge says of itself when it comes online, and makes a receipt due for each
// of its epochs of which something is known, and for its current one, so that it learns at once what
// need not be sent, and that a bridge listens.
func (l *State) Greet(s *event.Status) (g Greeting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.find(s.Edge, s.Epoch) == nil {
		if g.Full = l.begin(s.Edge, s.Epoch); g.Full != BoundNone {
			return g
		}
	}
	d := l.device(s.Edge)
	d.newer = len(s.Epochs) > 0
	before := d.named
	d.named = make([]event.Epoch, 0, len(s.Epochs))
	for _, e := range s.Epochs {
		d.named = append(d.named, e.Epoch)
		if d.epochs[e.Epoch] != nil && e.Epoch != s.Epoch {
			l.touch(s.Edge, e.Epoch)
		}
	}
	l.touch(s.Edge, s.Epoch)
	alternated := d.twin.last
	if g.Twins = d.twin.observe(s.Epoch, s.Connection, l.now()); g.Twins != nil {
		for _, epoch := range g.Twins {
			if a := d.epochs[epoch]; a != nil {
				l.owe(a)
			}
		}
	}
	g.News = g.News || !slices.Equal(before, d.named) || alternated != d.twin.last
	return g
}

// Greeting is what came of an edge's status.
type Greeting struct {
	Twins []event.Epoch // two epochs that begin to alternate
	Full  Bound         // why the edge is not greeted
	News  bool          // a checkpoint should have it
}

// NoteProgram takes in which program an edge has, before anything that it sends, and says whether that is news.
func (l *State) NoteProgram(s *event.Status) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.find(s.Edge, s.Epoch) == nil {
		if l.begin(s.Edge, s.Epoch) != BoundNone {
			return false // Greet says so
		}
		news = true
	}
	d, newer := l.device(s.Edge), len(s.Epochs) > 0
	news = news || d.newer != newer
	d.newer = newer
	return news
}

// NewerProgram says whether an edge's program reads conflicts in receipts.
func (l *State) NewerProgram(edge string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.slots[slots.Of(edge)][edge]
	return d != nil && d.newer
}

// conflictsNamed is how long after it came a conflict stands in receipts.
const conflictsNamed = 10 * time.Minute

// AddConflict records that an item came under a number under which Kafka has another, so that the next
// receipts name that other one.
func (l *State) AddConflict(edge string, epoch event.Epoch, there Known) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.touch(edge, epoch)
	a.conflict = l.now()
	a.Conflicts++
	a.conflicts = slices.DeleteFunc(a.conflicts, func(k event.Known) bool { return k.Seq == there.Seq })
	if len(a.conflicts) == event.MaxConflicts {
		a.conflicts = slices.Delete(a.conflicts, 0, 1)
	}
	a.conflicts = append(a.conflicts, event.Known{Seq: there.Seq, ID: there.ID})
}

// SetLast records which item Kafka has under a number, if that is the highest so far.
func (l *State) SetLast(edge string, epoch event.Epoch, k Known) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.epoch(edge, epoch); k.Seq >= a.last.Seq {
		a.last = k
	}
}

// EachLast gives the item with the highest number of each epoch, as far as its id is known.
func (l *State) EachLast(put func(edge string, epoch event.Epoch, k Known)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, edges := range l.slots {
		for edge, d := range edges {
			for epoch, a := range d.epochs {
				if a.last.Seq > 0 {
					put(edge, epoch, a.last)
				}
			}
		}
	}
}

// AddUnsaved records numbers that the next bridge will not find in Kafka's log. No receipt covers
// them before a checkpoint does.
func (l *State) AddUnsaved(edge string, epoch event.Epoch, seqs ...uint64) {
	l.mu.Lock()
	l.epoch(edge, epoch).unsaved = true
	l.mu.Unlock()
	l.Add(edge, epoch, seqs...)
}

// Saved lets the receipts go that waited for a checkpoint.
func (l *State) Saved() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a := range l.due {
		if a.unsaved {
			a.unsaved = false
			l.owe(a)
		}
	}
}
