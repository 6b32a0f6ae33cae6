package dedup

import (
	"fmt"
	"time"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
)

// Bound is why a message of an edge is refused: it is acknowledged to the MQTT broker, so that it
// holds nothing up, but not written and not receipted for. Its edge keeps it and sends it again after
// its timeout, when there may be room. So nothing is lost, and what is sent in vain costs its sender.
type Bound string

const (
	BoundNone   Bound = ""
	BoundQueue  Bound = "queue"  // the edge holds more than its share while others wait
	BoundAhead  Bound = "ahead"  // too many numbers above the first that is missing
	boundEpochs Bound = "epochs" // it begins epochs too fast
	boundEdges  Bound = "edges"  // there are too many edges
	BoundStore  Bound = "store"  // its bytes of the day in the store are used up
	BoundParts  Bound = "parts"  // not refused: the oldest of its unfinished items go
	BoundAge    Bound = "age"    // the same, for their age
	BoundNumber Bound = "number" // not refused for room: its number is another item's
	boundMemory Bound = "memory" // not refused: what was known of it had to be forgotten
)

// Explain says what a bound is for people, and what to do.
func (b Bound) Explain() string {
	switch b {
	case BoundQueue:
		return "it fills more than its share of the bridge's queue while others wait (bridge.queue_share): it sends faster than the bridge carries"
	case BoundAhead:
		return "it has sent too many scattered numbers above the first that is missing: either that one is stuck on the device (canvas-edge buffer), or the numbers are invented"
	case boundEpochs:
		return fmt.Sprintf("it begins more than %d epochs a minute: does the agent restart again and again?", epochsMinute)
	case boundEdges:
		return fmt.Sprintf("the bridge knows %d edges already, which is its limit: are names invented? (bridge.edges lets in those that are meant)", maxEdges)
	case BoundStore:
		return "what it may put into the object store in a day is used up (bridge.store_bytes_per_day)"
	case BoundParts:
		return fmt.Sprintf("its edge has begun more than %d items, or more bytes than bridge.parts_edge_bytes, without finishing them", parts.UnfinishedItems)
	case BoundAge:
		return "nothing more of it has come for bridge.parts_age"
	}
	return string(b)
}

// Bounds that have no setting.
const (
	maxEdges     = 1 << 15
	epochsAtOnce = 64 // epochs that an edge may begin at once: after a long time away it comes with many
	epochsMinute = 16 // and in a minute

	aheadMost  = 1 << 32   // how far above the watermark a number may be
	aheadNear  = 1 << 16   // numbers so near to it are always taken, so that gaps can close
	aheadEpoch = 384 << 10 // bytes of the numbers above the watermark: three million, in any order
	aheadEdge  = 448 << 10 // of all epochs of an edge
	aheadRun   = 10        // bytes that a lone number takes at most
	weighEvery = 256       // numbers that may be added before the bytes are counted again
)

// rates are what an edge has used of its quotas.
type rates struct {
	begun   int // epochs, of those that it may begin at once
	filled  time.Time
	day     int64 // of which stored is
	stored  int64 // bytes in the object store
	refused refusals
	logged  map[Bound]time.Time
}

// refusals count the refused messages of an edge.
type refusals map[Bound]uint64

// byName is a copy for a status, nil where there are none.
func (r refusals) byName() map[string]uint64 {
	if len(r) == 0 {
		return nil
	}
	all := make(map[string]uint64, len(r))
	for b, n := range r {
		all[string(b)] = n
	}
	return all
}

// mayBegin says whether the edge may begin another epoch now.
func (r *rates) mayBegin(now time.Time) bool {
	if r.filled.IsZero() {
		r.filled = now
	}
	if back := int(now.Sub(r.filled) / (time.Minute / epochsMinute)); back > 0 {
		r.begun = max(0, r.begun-back)
		r.filled = now
	}
	if r.begun >= epochsAtOnce {
		return false
	}
	r.begun++
	return true
}

// mayStore says whether the edge may put more bytes into the store today; limit 0: without bound.
func (r *rates) mayStore(bytes, limit int64, now time.Time) bool {
	if day := now.Unix() / (24 * 3600); day != r.day {
		r.day, r.stored = day, 0
	}
	if limit > 0 && r.stored+bytes > limit {
		return false
	}
	r.stored += bytes
	return true
}

// Check says whether Kafka has that number, and if not, whether there is room for it.
func (l *State) Check(id parts.Identity) (there bool, full Bound) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.find(id.Edge, id.Epoch); a != nil {
		return a.has(id.Seq), a.room(id.Seq)
	}
	if full = l.begin(id.Edge, id.Epoch); full == BoundNone && id.Seq > aheadMost {
		full = BoundAhead
	}
	return false, full
}

// CheckDrops says whether there is room for the numbers that a drop report names.
func (l *State) CheckDrops(edge string, own event.Epoch, report event.DropReport) Bound {
	l.mu.Lock()
	defer l.mu.Unlock()
	runs, last := map[event.Epoch]uint64{}, map[event.Epoch]uint64{}
	for epoch, d := range report.Each(own) {
		a := l.find(edge, epoch)
		if a == nil {
			if full := l.begin(edge, epoch); full != BoundNone {
				return full
			}
			a = l.find(edge, epoch)
		}
		if a.has(d.Seq) {
			continue
		}
		if d.Seq-a.through > aheadMost {
			return BoundAhead
		}
		if d.Seq != last[epoch]+1 {
			runs[epoch]++
		}
		last[epoch] = d.Seq
		if a.weight+runs[epoch]*aheadRun > aheadEpoch {
			return BoundAhead
		}
	}
	return BoundNone
}

// begin notes a new epoch, if its edge may begin one. The caller holds mu.
func (l *State) begin(edge string, epoch event.Epoch) Bound {
	if l.slots[slots.Of(edge)][edge] == nil && l.names >= maxEdges {
		return boundEdges
	}
	if d := l.device(edge); !d.mayBegin(l.now()) {
		return boundEpochs
	}
	l.epoch(edge, epoch)
	return BoundNone
}

// room says whether there is room for another number.
func (a *epochState) room(seq uint64) Bound {
	if seq <= a.through+aheadNear || seq <= a.through {
		return BoundNone
	}
	if seq-a.through > aheadMost || a.weight > aheadEpoch || a.of.weight > aheadEdge {
		return BoundAhead
	}
	return BoundNone
}

// weigh counts the bytes of the numbers above the watermark, now and then.
func (a *epochState) weigh(added int) {
	before := a.weight
	if a.above == nil {
		a.grown, a.weight = 0, 0
	} else if a.grown += added; a.grown >= weighEvery {
		a.grown, a.weight = 0, a.above.GetSerializedSizeInBytes()
	}
	a.of.weight += a.weight - before
}

// MayStore says whether an edge may put more bytes into the store today.
func (l *State) MayStore(edge string, bytes, limit int64) bool {
	if limit == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.device(edge).mayStore(bytes, limit, l.now())
}

// logAgain is how long a bound is not logged again.
const logAgain = time.Hour

// Refuse counts a refused message, and says whether it should be logged: the first in an hour.
// Edges that are not known leave no trace.
func (l *State) Refuse(edge string, why Bound) (log bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, now := l.slots[slots.Of(edge)][edge], l.now()
	if d == nil {
		if log = now.Sub(l.logged) >= logAgain; log {
			l.logged = now
		}
		return log
	}
	d.refuse(why, 1)
	return d.shouldLog(why, now)
}

// maxBounds is more than there are.
const maxBounds = 16

func (r *rates) refuse(why Bound, n uint64) {
	if r.refused == nil {
		r.refused = refusals{}
	}
	r.refused[why] += n
}

// ShouldLog says whether a bound should be logged now.
func (l *State) ShouldLog(edge string, why Bound) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.slots[slots.Of(edge)][edge]
	return d != nil && d.shouldLog(why, l.now())
}

// shouldLog says whether a bound should be logged now.
func (r *rates) shouldLog(why Bound, now time.Time) bool {
	if now.Sub(r.logged[why]) < logAgain {
		return false
	}
	if r.logged == nil {
		r.logged = map[Bound]time.Time{}
	}
	r.logged[why] = now
	return true
}
