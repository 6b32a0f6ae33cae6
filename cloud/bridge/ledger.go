package bridge

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
)

// ledger is what the bridge knows of all edges: what of each Kafka has, and to whom a receipt is due.
// The commit loop writes it, receipts and status read it.
type ledger struct {
	mu    sync.Mutex
	slots [slots.Count]map[string]*device
	due   map[*account]struct{} // accounts whose edge should get a receipt
	wake  chan struct{}         // something is due
	now   func() time.Time
	names int                           // edges
	cuts  [slots.Count]int              // into how many parts checkpoints are cut: 1, 2, 4 …, its power of two
	said  time.Time                     // when it was last told that there are too many
	loses func(a *account, what string) // hears of knowledge that had to go; may be nil
}

// account is one epoch of one edge.
type account struct {
	edge  string
	epoch event.Epoch
	of    *device
	seen
	used      time.Time     // when something of it last came
	stuck     time.Time     // since when the watermark has had a gap above it; zero: there is none
	receipt   time.Time     // when the last receipt was sent
	sending   bool          // one is under way: the next must not overtake it
	unsettled bool          // the last one failed
	unsaved   bool          // it holds numbers that only a checkpoint will tell the next bridge of
	held      parts.Held    // of items that are not whole
	last      known         // the item with the highest number, as far as its id is known
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
	Poison     uint64 `json:"poison"`              // messages set aside, or recognised as set aside before
	Conflicts  uint64 `json:"conflicts,omitempty"` // items that came under a number of another
	Known      uint64 `json:"known,omitempty"`     // items that came under a new number and were known by their id
}

func newLedger(now func() time.Time) *ledger {
	return &ledger{due: map[*account]struct{}{}, wake: make(chan struct{}, 1), now: now}
}

// device gives what is known of an edge, made where it is missing. The caller holds mu.
func (l *ledger) device(edge string) *device {
	slot := &l.slots[slots.Of(edge)]
	if *slot == nil {
		*slot = map[string]*device{}
	}
	d := (*slot)[edge]
	if d == nil {
		d = &device{edge: edge, epochs: map[event.Epoch]*account{}}
		(*slot)[edge] = d
		l.names++
	}
	return d
}

// find gives the account, nil where there is none. The caller holds mu.
func (l *ledger) find(edge string, epoch event.Epoch) *account {
	if d := l.slots[slots.Of(edge)][edge]; d != nil {
		return d.epochs[epoch]
	}
	return nil
}

// account gives the account, made where it is missing. The caller holds mu.
func (l *ledger) account(edge string, epoch event.Epoch) *account {
	d := l.device(edge)
	a := d.epochs[epoch]
	if a == nil {
		for len(d.epochs) >= maxEpochs {
			l.forget(d.leastNeeded())
		}
		a = &account{edge: edge, epoch: epoch, of: d, used: l.now()}
		d.epochs[epoch] = a
	}
	return a
}

func (l *ledger) forget(a *account) {
	if a.above != nil {
		l.losing(a, "an epoch in which something is missing is forgotten: the edge has begun too many")
	}
	a.of.weight -= a.weight
	delete(a.of.epochs, a.epoch)
	delete(l.due, a)
}

// losing tells of knowledge that had to go, once an hour for an edge.
func (l *ledger) losing(a *account, what string) {
	if l.loses != nil && a.of.tell(boundMemory, l.now()) {
		l.loses(a, what)
	}
}

// has says whether Kafka has that item. It leaves no trace of edges that were never heard of.
func (l *ledger) has(edge string, epoch event.Epoch, seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.find(edge, epoch)
	return a != nil && a.has(seq)
}

// add records that Kafka has those items, and that a receipt is due.
func (l *ledger) add(edge string, epoch event.Epoch, seqs ...uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(edge, epoch)
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

// repeat asks for a receipt to an edge that may have missed the one before, or that has come online:
// then it learns at once what need not be sent, and that somebody listens.
func (l *ledger) repeat(edge string, epoch event.Epoch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(edge, epoch)
	a.used = l.now()
	l.owe(a)
}

// hold records that a part rests in the store, beside those that its item is known to have.
func (l *ledger) hold(a *parts.Assembly, part uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touch(a.ID).held.Hold(a, part)
}

// lose records that nothing of an item rests in the store any more: all of it must come again.
func (l *ledger) lose(c parts.Cut) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touch(c.ID).held.Lose(c)
}

// touch gives an item's account, and makes a receipt due. The caller holds mu.
func (l *ledger) touch(id parts.Identity) *account {
	a := l.account(id.Edge, id.Epoch)
	a.used = l.now()
	l.owe(a)
	return a
}

// count adds to an account's counts. Accounts are not made for it: poison must not fill the memory.
func (l *ledger) count(edge string, epoch event.Epoch, add func(*Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.find(edge, epoch); a != nil {
		add(&a.Counts)
	}
}

func (l *ledger) owe(a *account) {
	l.due[a] = struct{}{}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// edges are the names of all that were heard of.
func (l *ledger) edges() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, edges := range l.slots {
		names = slices.AppendSeq(names, maps.Keys(edges))
	}
	return names
}

// EdgeStatus is what the bridge knows of one epoch of one edge.
type EdgeStatus struct {
	Edge    string        `json:"edge"`
	Slot    int           `json:"slot"`
	Epoch   event.Epoch   `json:"epoch"`
	Through uint64        `json:"through"`        // Kafka has everything up to here
	Highest uint64        `json:"highest"`        // the largest number that came
	Missing uint64        `json:"missing"`        // numbers below the highest that have not come
	Gaps    []event.Range `json:"gaps"`           // the first of them
	Since   time.Time     `json:"since,omitzero"` // since when the first gap stands
	Last    time.Time     `json:"last"`           // when something last came
	// Twin is the epoch of another agent that speaks under the same name at the same time.
	Twin event.Epoch `json:"twin,omitempty"`
	// Refused are messages of the edge that went over a bound, by the bound.
	Refused map[string]uint64 `json:"refused,omitempty"`
	Counts
}

// gapsTold bounds the gaps that a status names.
const gapsTold = 16

// status lists all edges by name, the epoch used last first.
func (l *ledger) status() []EdgeStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []EdgeStatus{}
	now := l.now()
	for slot, edges := range l.slots {
		for edge, d := range edges {
			for epoch, a := range d.epochs {
				all = append(all, EdgeStatus{
					Edge: edge, Slot: slot, Epoch: epoch, Through: a.through, Highest: a.highest(),
					Missing: a.missing(), Gaps: a.gaps(gapsTold), Since: a.stuck, Last: a.used,
					Twin: d.twin.of(epoch, now), Refused: d.refused.told(), Counts: a.Counts,
				})
			}
		}
	}
	slices.SortFunc(all, func(a, b EdgeStatus) int {
		return cmp.Or(cmp.Compare(a.Edge, b.Edge), b.Last.Compare(a.Last), cmp.Compare(a.Epoch, b.Epoch))
	})
	return all
}
