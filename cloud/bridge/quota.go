package bridge

import (
	"fmt"
	"time"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
)

// A bound is why a message of an edge is refused: it is acknowledged to the MQTT broker, so that it
// holds nothing up, but not written and not receipted for. Its edge keeps it and sends it again after
// its timeout, when there may be room. So nothing is lost, and what is sent in vain costs its sender.
type bound string

const (
	boundNone   bound = ""
	boundQueue  bound = "queue"  // the edge holds more than its share while others wait
	boundAhead  bound = "ahead"  // too many numbers above the first that is missing
	boundEpochs bound = "epochs" // it begins epochs too fast
	boundEdges  bound = "edges"  // there are too many edges
	boundStore  bound = "store"  // its bytes of the day in the store are used up
	boundParts  bound = "parts"  // not refused: the oldest of its unfinished items go
	boundAge    bound = "age"    // the same, for their age
	boundNumber bound = "number" // not refused for room: its number is another item's
	boundMemory bound = "memory" // not refused: what was known of it had to go
)

// does says what a bound is for people, and what to do.
func (b bound) does() string {
	switch b {
	case boundQueue:
		return "it fills more than its share of the bridge's queue while others wait (bridge.queue_share): it sends faster than the bridge carries"
	case boundAhead:
		return "it has sent too many scattered numbers above the first that is missing: either that one is stuck on the device (canvas-edge buffer), or the numbers are invented"
	case boundEpochs:
		return fmt.Sprintf("it begins more than %d epochs a minute: does the agent restart again and again?", epochsMinute)
	case boundEdges:
		return fmt.Sprintf("the bridge knows %d edges already, which is its limit: are names invented? (bridge.edges lets in those that are meant)", maxEdges)
	case boundStore:
		return "what it may put into the object store in a day is used up (bridge.store_bytes_per_day)"
	case boundParts:
		return fmt.Sprintf("its edge has begun more than %d items, or more bytes than bridge.parts_edge_bytes, without finishing them", parts.UnfinishedItems)
	case boundAge:
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
	said    map[bound]time.Time
}

// refusals count the refused messages of an edge.
type refusals map[bound]uint64

// told is a copy for a status, nil where there are none.
func (r refusals) told() map[string]uint64 {
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

// look says whether Kafka has that number, and if not, whether there is room for it.
func (l *ledger) look(id parts.Identity) (there bool, full bound) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.find(id.Edge, id.Epoch); a != nil {
		return a.has(id.Seq), a.room(id.Seq)
	}
	if full = l.begin(id.Edge, id.Epoch); full == boundNone && id.Seq > aheadMost {
		full = boundAhead
	}
	return false, full
}

// lookAll says whether there is room for the numbers that a drop report names.
func (l *ledger) lookAll(edge string, own event.Epoch, report event.DropReport) bound {
	l.mu.Lock()
	defer l.mu.Unlock()
	runs, last := map[event.Epoch]uint64{}, map[event.Epoch]uint64{}
	for epoch, d := range report.Each(own) {
		a := l.find(edge, epoch)
		if a == nil {
			if full := l.begin(edge, epoch); full != boundNone {
				return full
			}
			a = l.find(edge, epoch)
		}
		if a.has(d.Seq) {
			continue
		}
		if d.Seq-a.through > aheadMost {
			return boundAhead
		}
		if d.Seq != last[epoch]+1 {
			runs[epoch]++
		}
		last[epoch] = d.Seq
		if a.weight+runs[epoch]*aheadRun > aheadEpoch {
			return boundAhead
		}
	}
	return boundNone
}

// begin makes the account of a new epoch, if its edge may begin one. The caller holds mu.
func (l *ledger) begin(edge string, epoch event.Epoch) bound {
	if l.slots[slots.Of(edge)][edge] == nil && l.names >= maxEdges {
		return boundEdges
	}
	if d := l.device(edge); !d.mayBegin(l.now()) {
		return boundEpochs
	}
	l.account(edge, epoch)
	return boundNone
}

// room says whether there is room for another number.
func (a *account) room(seq uint64) bound {
	if seq <= a.through+aheadNear || seq <= a.through {
		return boundNone
	}
	if seq-a.through > aheadMost || a.weight > aheadEpoch || a.of.weight > aheadEdge {
		return boundAhead
	}
	return boundNone
}

// weigh counts the bytes of the numbers above the watermark, now and then.
func (a *account) weigh(added int) {
	before := a.weight
	if a.above == nil {
		a.grown, a.weight = 0, 0
	} else if a.grown += added; a.grown >= weighEvery {
		a.grown, a.weight = 0, a.above.GetSerializedSizeInBytes()
	}
	a.of.weight += a.weight - before
}

// mayStore says whether an edge may put more bytes into the store today.
func (l *ledger) mayStore(edge string, bytes, limit int64) bool {
	if limit == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.device(edge).mayStore(bytes, limit, l.now())
}

// tellAgain is how long a bound is not told of again.
const tellAgain = time.Hour

// refuse counts a refused message, and says whether it should be told of: the first in an hour.
// Edges that were never heard of leave no trace.
func (l *ledger) refuse(edge string, why bound) (tell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, now := l.slots[slots.Of(edge)][edge], l.now()
	if d == nil {
		if tell = now.Sub(l.said) >= tellAgain; tell {
			l.said = now
		}
		return tell
	}
	d.refuse(why, 1)
	return d.tell(why, now)
}

// maxBounds is more than there are.
const maxBounds = 16

func (r *rates) refuse(why bound, n uint64) {
	if r.refused == nil {
		r.refused = refusals{}
	}
	r.refused[why] += n
}

// tell says whether a bound should be told of now.
func (l *ledger) tell(edge string, why bound) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.slots[slots.Of(edge)][edge]
	return d != nil && d.tell(why, l.now())
}

// tell says whether a bound should be told of now.
func (r *rates) tell(why bound, now time.Time) bool {
	if now.Sub(r.said[why]) < tellAgain {
		return false
	}
	if r.said == nil {
		r.said = map[bound]time.Time{}
	}
	r.said[why] = now
	return true
}
