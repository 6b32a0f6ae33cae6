package bridge

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"cloudcanvas/shared/event"
)

// maxEpochs bounds the lives of one edge's buffer that are remembered; the least used is forgotten.
const maxEpochs = 16

// ledger is what the bridge knows of all edges: what of each Kafka has, and to whom a receipt is due.
// The commit loop writes it, receipts and status read it.
type ledger struct {
	mu      sync.Mutex
	slots   [Slots]map[string]map[event.Epoch]*account
	due     map[*account]struct{} // accounts whose edge should get a receipt
	wake    chan struct{}         // something is due
	touches uint64                // of parts held, for their order
	now     func() time.Time
}

// account is one epoch of one edge.
type account struct {
	edge  string
	epoch event.Epoch
	seen
	used      time.Time        // when something of it last came
	stuck     time.Time        // since when the watermark has had a gap above it; zero: there is none
	receipt   time.Time        // when the last receipt was sent
	sending   bool             // one is under way: the next must not overtake it
	unsettled bool             // the last one failed
	held      map[uint64]*held // parts of items that are not whole, by number
	Counts
}

// Counts are of what came while this bridge was at work; what the log said at the start is not in them.
type Counts struct {
	Written    uint64 `json:"written"`    // items that this bridge put into Kafka
	Duplicates uint64 `json:"duplicates"` // messages with what Kafka had already
	Poison     uint64 `json:"poison"`     // messages set aside, or recognised as set aside before
}

func newLedger(now func() time.Time) *ledger {
	return &ledger{due: map[*account]struct{}{}, wake: make(chan struct{}, 1), now: now}
}

// account gives the account, made where it is missing. The caller holds mu.
func (l *ledger) account(edge string, epoch event.Epoch) *account {
	slot := &l.slots[Slot(edge)]
	if *slot == nil {
		*slot = map[string]map[event.Epoch]*account{}
	}
	epochs := (*slot)[edge]
	if epochs == nil {
		epochs = map[event.Epoch]*account{}
		(*slot)[edge] = epochs
	}
	a := epochs[epoch]
	if a == nil {
		if len(epochs) >= maxEpochs {
			var oldest *account
			for _, e := range epochs {
				if oldest == nil || e.used.Before(oldest.used) {
					oldest = e
				}
			}
			delete(epochs, oldest.epoch)
			delete(l.due, oldest)
		}
		a = &account{edge: edge, epoch: epoch, used: l.now()}
		epochs[epoch] = a
	}
	return a
}

// has says whether Kafka has that item. It leaves no trace of edges that were never heard of.
func (l *ledger) has(edge string, epoch event.Epoch, seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.slots[Slot(edge)][edge][epoch]
	return a != nil && a.has(seq)
}

// add records that Kafka has those items, and that a receipt is due.
func (l *ledger) add(edge string, epoch event.Epoch, seqs ...uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(edge, epoch)
	before := a.through
	for _, seq := range seqs {
		delete(a.held, seq)
		if seq > 0 && seq <= maxSeq {
			a.add(seq)
		}
	}
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

// count adds to an account's counts. Accounts are not made for it: poison must not fill the memory.
func (l *ledger) count(edge string, epoch event.Epoch, add func(*Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.slots[Slot(edge)][edge][epoch]; a != nil {
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
	Counts
}

// gapsTold bounds the gaps that a status names.
const gapsTold = 16

// status lists all edges by name, the epoch used last first.
func (l *ledger) status() []EdgeStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []EdgeStatus{}
	for slot, edges := range l.slots {
		for edge, epochs := range edges {
			for epoch, a := range epochs {
				all = append(all, EdgeStatus{
					Edge: edge, Slot: slot, Epoch: epoch, Through: a.through, Highest: a.highest(),
					Missing: a.missing(), Gaps: a.gaps(gapsTold), Since: a.stuck, Last: a.used, Counts: a.Counts,
				})
			}
		}
	}
	slices.SortFunc(all, func(a, b EdgeStatus) int {
		return cmp.Or(cmp.Compare(a.Edge, b.Edge), b.Last.Compare(a.Last), cmp.Compare(a.Epoch, b.Epoch))
	})
	return all
}
