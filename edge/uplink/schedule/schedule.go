// Package schedule decides what goes over the link next. It is a computation only: no clock, no I/O;
// the uplink and the simulator give it the time and report what became of what it chose.
//
// Items go in the order of
//  1. priority, 0 before everything else;
//  2. rung of the product ladder: what tells most with fewest bytes;
//  3. an item that has begun, before one that has not: half an item is worth nothing yet;
//  4. value per byte;
//  5. age.
//
// Items of one stream, priority and rung that are a series go in the order of their numbers, the oldest
// first or the newest, and stand in the order above as the one whose turn it is. One of an oldest-first
// series never passes an older one that waits, has failed, or was sent over a connection that is gone and
// has no receipt yet. On a new connection each such series sends one item, and the rest when the first
// receipt shows that the cloud listens again: a broker that has lost its sessions takes everything and
// gives it to nobody.
//
// It chooses part by part, so that a large item holds nobody up for longer than one part takes. A
// small share of the bytes goes to the oldest item instead, so that nothing starves: an item that is
// not held back by a quota is whole after at most (bytes of what is older + its own + one part) /
// OldestShare bytes of what is not urgent. Budgets, quotas and the end of the window are never exceeded.
package schedule

import (
	"math"
	"path"
	"time"

	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/shared/event"
)

// Overhead is what a message costs besides its data: envelope, MQTT and TCP headers.
const Overhead = 512

// LeastPacket is the smallest that an item of some size can be cut into.
const LeastPacket = least + Overhead

const (
	maxParts      = 4096     // of one item; a receipt names at most as many ranges
	maxOut        = 64 << 10 // items sent without a receipt: then only urgent ones go
	maxCandidates = 16       // items that are tried for one that still fits
	unknown       = 16 << 10 // bytes of a part while nobody knows how fast the link is
	least         = 512      // bytes of a part on the thinnest link
	partTime      = 0.25     // seconds that a part takes, so that an alert never waits long for one
	unending      = 1 << 62  // bytes
	retry         = time.Second
)

// Box is asked about an item when its turn comes.
type Box interface {
	Waits(seq uint64) bool
	// Parts are the parts that the cloud holds of a large item, and of how many; of is 0 where it
	// holds none.
	Parts(seq uint64) (of uint32, have []event.Range)
}

// Contacts says when the link may be used; contact.Calendar does.
type Contacts interface {
	At(t time.Time) (w contact.Window, open bool)
}

// Rules are what the scheduler keeps to.
type Rules struct {
	PartBytes      int           // larger items go in parts of at most so many bytes
	ReceiptTimeout time.Duration // then an item goes again, later each time
	OldestShare    float64       // of the bytes that are not urgent
	Budget         Budget
	Quotas         []Quota
	Order          []OrderRule
}

// Link is how the link is now.
type Link struct {
	Rate   float64 // bytes per second; 0: not known
	Room   int64   // bytes that may go out now; a part may exceed it by half of itself, an urgent one by any amount
	Flying int64   // bytes under way
	Packet int64   // the largest that the broker takes; 0: no bound is known
}

// Part is what goes next: all of an item where Of is 1.
type Part struct {
	Seq      uint64
	N, Of    uint32
	Wire     int64 // bytes on the link
	Priority event.Priority
	Rung     event.Rung
	Why      Reason
	Series   uint16 // parts of one oldest-first series may not pass each other on the link; 0: of none
}

// Reason says why a part was chosen.
type Reason string

// The reasons.
const (
	Urgent Reason = "it is urgent"
	Begun  Reason = "it has begun"
	Best   Reason = "it has the best priority, rung and value per byte"
	Oldest Reason = "it is the oldest, whose share it is"
)

// Hold says why nothing goes.
type Hold string

// The holds; none where there is a part.
const (
	None     Hold = ""
	Empty    Hold = "nothing waits"
	Closed   Hold = "no contact window"
	NoRoom   Hold = "the link is full"
	NoBudget Hold = "what waits does not fit the budget, its quota or the rest of the window"
	Again    Hold = "what waits could not be sent and goes again in a moment"
	TooLarge Hold = "what waits can't be cut into packets that the broker takes"
	InOrder  Hold = "what waits must not pass older items of its streams, whose fate is not known yet"
)

// Scheduler chooses. One caller only.
type Scheduler struct {
	rules        Rules
	box          Box
	contacts     Contacts
	store        store
	queues       []quotaQueue // by quota; the last is for streams without one
	streams      map[string]uint16
	known        map[seriesKey]uint16
	unused       []uint16         // numbers of series that are no more
	waiting      []suspended      // series in which one has failed
	out          map[uint64]*item // begun, or sent and without a receipt
	receiptSeen  bool             // something that was sent over this connection has its receipt
	begun        []*item          // those with parts to send
	spent        spending
	today        time.Time
	window       time.Time // beginning of the one that spent counts
	owed         float64   // bytes to the oldest
	frontier     []int
	aside        map[uint64]aside     // what the broker does not take
	unfit        map[uint64]time.Time // what goes aside, and until when, once its turn comes
	asideChecked time.Time            // at those that are aside
	packet       int64                // the largest that the broker took when it was asked last
}

// New makes a scheduler.
func New(r Rules, box Box, contacts Contacts) *Scheduler {
	s := &Scheduler{rules: r, box: box, contacts: contacts, queues: make([]quotaQueue, len(r.Quotas)+1), streams: map[string]uint16{}, known: map[seriesKey]uint16{}, out: map[uint64]*item{}, aside: map[uint64]aside{}, unfit: map[uint64]time.Time{}}
	for i := range s.queues {
		if i < len(r.Quotas) {
			s.queues[i].quota = &s.rules.Quotas[i]
		}
		s.store.series = append(s.store.series, &series{queue: uint16(i)})
	}
	return s
}

// Add takes what began to wait, or became more urgent.
func (s *Scheduler) Add(refs ...event.Ref) {
	for _, r := range refs {
		rank := rankOf(r.Priority, r.Rung)
		if i, ok := s.out[r.Seq]; ok {
			i.entry.rank = min(i.entry.rank, rank)
			continue
		}
		bytes := uint32(min(max(r.Bytes, 0), math.MaxUint32))
		s.push(entry{seq: r.Seq, density: float32(r.Value / float64(int64(bytes)+Overhead)), bytes: bytes, rank: rank, series: s.seriesOf(r.Stream, r.Kind, rank)})
	}
}

// push lets an entry wait, and gives the number of its series.
func (s *Scheduler) push(e entry) uint16 {
	if c := s.of(&e); c != nil && c.key.rank != e.rank { // it was made more urgent meanwhile
		key := c.key
		key.rank = e.rank
		e.series = s.find(key)
	}
	s.store.push(s.queues, e)
	s.relist(e.series)
	return e.series
}

// pull takes an entry out of what waits.
func (s *Scheduler) pull(slot uint32) entry {
	e := s.store.remove(s.queues, slot)
	s.relist(e.series)
	return e
}

func (s *Scheduler) queueOfStream(stream string) uint16 {
	if len(s.rules.Quotas) == 0 {
		return 0
	}
	if queue, ok := s.streams[stream]; ok {
		return queue
	}
	queue := uint16(len(s.rules.Quotas))
	for i, q := range s.rules.Quotas {
		if ok, err := path.Match(q.Streams, stream); ok && err == nil {
			queue = uint16(i)
			break
		}
	}
	if len(s.streams) >= 4096 { // names that come and go must not fill the memory
		clear(s.streams)
	}
	s.streams[stream] = queue
	return queue
}

// Waiting is how many items have not begun, and how many have no receipt yet.
func (s *Scheduler) Waiting() (queued, out int) {
	return s.store.count() + len(s.aside), len(s.out)
}
