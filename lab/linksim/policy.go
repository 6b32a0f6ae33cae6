package linksim

import (
	"container/heap"
	"time"

	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
)

// policy decides what goes down. take gets each capture in turn; send gives the next bytes to
// send, at most left at so many a second; false where no item waits or fits.
type policy interface {
	take(n int, c Capture)
	send(now time.Time, left int64, rate float64) (sent, bool)
}

// sent is a piece of a capture that went.
type sent struct {
	n     int     // of the capture
	wire  int64   // bytes on the link
	whole bool    // the item is whole with it
	bytes int64   // of the whole item
	worth float64 // what a whole item brings of its capture's value, 0 … 1
	again bool    // it refines what came before
}

// Policy is a policy by name.
type Policy struct {
	Name  string
	Label string // what it is, for people
	make  func(schedule.Contacts) policy
}

// Policies are those that are compared. Only canvas is code that flies; the others are this
// project's re-implementations of what the papers describe, as far as ordering goes.
func Policies() []Policy {
	ordered := func(keep func(Capture) bool, rank func(Capture) float64) func(schedule.Contacts) policy {
		return func(schedule.Contacts) policy { return &sorted{keep: keep, rank: rank} }
	}
	all := func(Capture) bool { return true }
	return []Policy{
		{"fifo", "FIFO: everything, in the order of capture", ordered(all, func(Capture) float64 { return 0 })},
		{"kodan-like", "value only, in the manner of Kodan (ASPLOS 2023), re-implemented",
			ordered(func(c Capture) bool { return c.Cloud < 0.7 }, func(c Capture) float64 { return -float64(int((1 - c.Cloud) * 10)) })},
		{"serval-like", "alerts first, in the manner of Serval (NSDI 2024), re-implemented",
			ordered(all, func(c Capture) float64 {
				if c.Kind == "alert" {
					return 0
				}
				return 1
			})},
		{"earth+-like", "changes against a reference, in the manner of Earth+ (ASPLOS 2025), re-implemented",
			ordered(func(c Capture) bool { return c.Looks && c.Cloud < 0.7 }, func(Capture) float64 { return 0 })},
		{"canvas", "this project's scheduler, the code that flies", func(c schedule.Contacts) policy { return newOurs(c, false) }},
		{"canvas-layers", "the same, tiles in layers: no sure cloud, then within 0.0005 of reflectance, the rest where there is room", func(c schedule.Contacts) policy { return newOurs(c, true) }},
	}
}

// sorted sends what it keeps by rank, the older first among equals, each item to its end.
type sorted struct {
	keep    func(Capture) bool
	rank    func(Capture) float64
	heap    ranked
	current rankedItem // bytes: what is left of it
	size    int64      // of the item in hand
}

type rankedItem struct {
	n     int
	rank  float64
	bytes int64
}

type ranked []rankedItem

func (r ranked) Len() int { return len(r) }
func (r ranked) Less(i, j int) bool {
	if r[i].rank != r[j].rank {
		return r[i].rank < r[j].rank
	}
	return r[i].n < r[j].n
}
func (r ranked) Swap(i, j int) { r[i], r[j] = r[j], r[i] }
func (r *ranked) Push(x any)   { *r = append(*r, x.(rankedItem)) }
func (r *ranked) Pop() any {
	old := *r
	x := old[len(old)-1]
	*r = old[:len(old)-1]
	return x
}

func (s *sorted) take(n int, c Capture) {
	if s.keep(c) {
		heap.Push(&s.heap, rankedItem{n, s.rank(c), int64(c.Bytes) + schedule.Overhead})
	}
}

func (s *sorted) send(_ time.Time, left int64, _ float64) (sent, bool) {
	if s.current.bytes == 0 && len(s.heap) > 0 {
		s.current = heap.Pop(&s.heap).(rankedItem)
		s.size = s.current.bytes - schedule.Overhead
	}
	wire := min(left, s.current.bytes, partBytes)
	s.current.bytes -= wire
	return sent{n: s.current.n, wire: wire, whole: s.current.bytes == 0, bytes: s.size, worth: 1}, wire > 0
}

// partBytes are sent between two looks at what else has come.
const partBytes = 128 << 10

// ours is the edge's own way: screening leaves out what is all cloud and describes unchanged ground
// instead of sending it; what is left gets its rung and goes through the real scheduler.
type ours struct {
	schedule *schedule.Scheduler
	layers   bool // tiles go in layers
	items    map[uint64]sent
}

// describedBytes is what a manifest says of a tile that is not sent.
const describedBytes = 40

// What layers of a tile weigh and bring, beside the whole tile without loss: docs/decisions/0022.
const (
	cloudLeft   = 0.7   // share of a tile's cloud that is left out: blocks of it, none beside the ground
	baseBytes   = 0.6   // within 0.0005 of reflectance
	baseWorth   = 0.997 // the share of classes that stay as they are
	refineBytes = 0.42  // what is missing to no loss
)

func newOurs(contacts schedule.Contacts, layers bool) policy {
	rules := schedule.Rules{PartBytes: partBytes, ReceiptTimeout: 1000 * time.Hour, OldestShare: 0.05}
	return &ours{schedule.New(rules, everything{}, contacts), layers, map[uint64]sent{}}
}

// everything waits, and the cloud holds no parts: here a part that went has arrived.
type everything struct{}

func (everything) Waits(uint64) bool                         { return true }
func (everything) Parts(uint64) (of uint32, h []event.Range) { return 0, nil }

var ladder = map[string]struct {
	rung     event.Rung
	priority event.Priority
}{
	"alert": {event.RungAlert, event.Urgent}, "track": {event.RungVector, event.High}, "thumbnail": {event.RungThumbnail, event.High},
	"mask": {event.RungMask, event.High}, "tile": {event.RungTile, event.Normal}, "frame": {event.RungFull, event.Low},
}

func (o *ours) take(n int, c Capture) {
	place := ladder[c.Kind]
	whole := sent{n: n, bytes: int64(c.Bytes), worth: 1}
	switch {
	case c.Kind == "tile" && (c.Cloud >= 0.98 || !c.Looks):
		place, whole.bytes, whole.worth = ladder["track"], describedBytes, 0 // a description is worth no picture
	case c.Kind == "tile" && o.layers:
		kept := float64(c.Bytes) * (1 - cloudLeft*c.Cloud)
		refined := sent{n: n, bytes: int64(refineBytes * kept), worth: 1 - baseWorth, again: true}
		whole.bytes, whole.worth = int64(baseBytes*kept), baseWorth
		o.add(uint64(2*n)+2, ladder["frame"].rung, place.priority, c.Seen*refined.worth, refined)
	}
	o.add(uint64(2*n)+1, place.rung, place.priority, c.Seen, whole)
}

// add lets an item wait; value is what a byte of it seems to be worth.
func (o *ours) add(seq uint64, rung event.Rung, p event.Priority, value float64, item sent) {
	o.items[seq] = item
	o.schedule.Add(event.Ref{Seq: seq, Priority: p, Rung: rung, Value: value, Bytes: int(item.bytes)})
}

func (o *ours) send(now time.Time, left int64, rate float64) (sent, bool) {
	p, hold := o.schedule.Choose(now, schedule.Link{Rate: rate, Room: left})
	if hold != schedule.None {
		return sent{}, false
	}
	item := o.items[p.Seq]
	item.wire, item.whole = p.Wire, o.schedule.Landed(now, p)
	if item.whole {
		o.schedule.Forget(p.Seq)
		delete(o.items, p.Seq)
	}
	return item, true
}
