// Package dedup is what the bridge knows of each edge: which numbers Kafka has, under which items they
// stand, what is unfinished, and to whom a receipt is due.
//
//	edge ─▶ epoch ─▶ seen: all up to a watermark, and a bitmap above it
//	          ├────▶ IDs: which items stand under the last numbers
//	          ├────▶ parts that are held, conflicts, twins
//	          └────▶ receipts that are due
//	State ⇄ checkpoints: the records of canvas.bridge, one or more a slot
//
// State may be used by several goroutines; IDs belong to the bridge's commit loop alone.
package dedup

import (
	"maps"
	"slices"
	"sync"
	"time"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
)

// State is what the bridge knows of all edges: what of each Kafka has, and to whom a receipt is due.
// The commit loop writes it, receipts and status read it.
type State struct {
	mu     sync.Mutex
	slots  [slots.Count]map[string]*device
	due    map[*epochState]struct{} // epochs of which their edge should get a receipt
	wake   chan struct{}            // something is due
	now    func() time.Time
	names  int              // edges
	cuts   [slots.Count]int // into how many parts checkpoints are cut: 1, 2, 4 …, its power of two
	logged time.Time        // when it was last logged that there are too many
	// OnLoss is called with what had to be forgotten; may be nil.
	OnLoss func(what, edge string, epoch event.Epoch, through, missing uint64)
}

// epochState is one epoch of one edge.
type epochState struct {
	edge  string
	epoch event.Epoch
	of    *device
	seen
	used      time.Time     // when something of it last came
	stuck     time.Time     // since when the watermark has had a gap above it; zero: there is none
	receipt   time.Time     // when the last receipt was sent
	sending   bool          // one is under way: the next must not overtake it
	unsettled bool          // the last one failed
	unsaved   bool          // it holds numbers that only a checkpoint hands to the next bridge
	held      parts.Held    // of items that are not whole
	last      Known         // the item with the highest number, as far as its id is known
	conflicts []event.Known // numbers under which another item came, the latest last
	conflict  time.Time     // when one last came
	grown     int           // numbers added since its weight was last taken
	weight    uint64        // bytes of the numbers above the watermark, then
	Counts
}

// Counts are of what came while this bridge was at work; what the log said at the start is not in them.
type Counts struct {
	Written    uint64 `json:"written"`             // items that this bridge put into Kafka
	Duplicates uint64 `json:"duplicates"`          // messages with what Kafka had already
	Poison     uint64 `json:"poison"`              // dead letters, or messages recognised as such
	Conflicts  uint64 `json:"conflicts,omitempty"` // items that came under a number of another
	Known      uint64 `json:"known,omitempty"`     // items that came under a new number and were known by their id
}

// New makes a State that knows nothing.
func New(now func() time.Time) *State {
	return &State{due: map[*epochState]struct{}{}, wake: make(chan struct{}, 1), now: now}
}

// device gives what is known of an edge, made where it is missing. The caller holds mu.
func (l *State) device(edge string) *device {
	slot := &l.slots[slots.Of(edge)]
	if *slot == nil {
		*slot = map[string]*device{}
	}
	d := (*slot)[edge]
	if d == nil {
		d = &device{edge: edge, epochs: map[event.Epoch]*epochState{}}
		(*slot)[edge] = d
		l.names++
	}
	return d
}

// find gives what is known of an epoch, nil where there is none. The caller holds mu.
func (l *State) find(edge string, epoch event.Epoch) *epochState {
	if d := l.slots[slots.Of(edge)][edge]; d != nil {
		return d.epochs[epoch]
	}
	return nil
}

// epoch gives what is known of an epoch, made where it is missing. The caller holds mu.
func (l *State) epoch(edge string, epoch event.Epoch) *epochState {
	d := l.device(edge)
	a := d.epochs[epoch]
	if a == nil {
		for len(d.epochs) >= maxEpochs {
			l.forget(d.leastNeeded())
		}
		a = &epochState{edge: edge, epoch: epoch, of: d, used: l.now()}
		d.epochs[epoch] = a
	}
	return a
}

func (l *State) forget(a *epochState) {
	if a.above != nil {
		l.losing(a, "an epoch in which something is missing is forgotten: the edge has begun too many")
	}
	a.of.weight -= a.weight
	delete(a.of.epochs, a.epoch)
	delete(l.due, a)
}

// losing reports knowledge that had to go, once an hour for an edge.
func (l *State) losing(a *epochState, what string) {
	if l.OnLoss != nil && a.of.shouldLog(boundMemory, l.now()) {
		l.OnLoss(what, a.edge, a.epoch, a.through, a.missing())
	}
}

// Has says whether Kafka has that item. It leaves no trace of edges that are not known.
func (l *State) Has(edge string, epoch event.Epoch, seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.find(edge, epoch)
	return a != nil && a.has(seq)
}

// Add records that Kafka has those items, and that a receipt is due.
func (l *State) Add(edge string, epoch event.Epoch, seqs ...uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.epoch(edge, epoch)
	before := a.through
	for _, seq := range seqs {
		a.held.Settle(seq)
		if seq > 0 && seq <= parts.MaxSeq {
			a.add(seq)
		}
	}
	a.weigh(len(seqs))
	a.used = l.now()
	switch {
	case a.above == nil:
		a.stuck = time.Time{}
	case a.stuck.IsZero() || a.through != before:
		a.stuck = a.used
	}
	l.owe(a)
}

// Repeat asks for a receipt to an edge that may have missed the one before, or that has come online:
// then it learns at once what need not be sent, and that a bridge listens.
func (l *State) Repeat(edge string, epoch event.Epoch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touch(edge, epoch)
}

// Hold records that a part rests in the store, beside those that its item is known to have.
func (l *State) Hold(a *parts.Assembly, part uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touch(a.ID.Edge, a.ID.Epoch).held.Hold(a, part)
}

// Lose records that nothing of an item rests in the store any more: all of it must come again.
func (l *State) Lose(c parts.Cut) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touch(c.ID.Edge, c.ID.Epoch).held.Lose(c)
}

// touch gives what is known of an epoch, of which something came now, and makes a receipt due. The caller
// holds mu.
func (l *State) touch(edge string, epoch event.Epoch) *epochState {
	a := l.epoch(edge, epoch)
	a.used = l.now()
	l.owe(a)
	return a
}

// Count adds to the counts of an epoch that is known. None is made for it: poison must not fill the memory.
func (l *State) Count(edge string, epoch event.Epoch, add func(*Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.find(edge, epoch); a != nil {
		add(&a.Counts)
	}
}

func (l *State) owe(a *epochState) {
	l.due[a] = struct{}{}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Edges are the names of all that are known.
func (l *State) Edges() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, edges := range l.slots {
		names = slices.AppendSeq(names, maps.Keys(edges))
	}
	return names
}
