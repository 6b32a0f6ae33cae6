package bridge

import (
	"crypto/sha256"
	"fmt"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/shared/event"
)

// Conflict says that an item came under a number under which Kafka has another one. A device that
// names its epochs learns of it from a receipt, begins a new epoch and sends the item again. One with a
// program from before that takes every receipt for its own, so what it sends goes to the dead letters.
type Conflict struct {
	Seq   uint64
	Epoch event.Epoch
	There string // the id of the item that Kafka has
}

func (c Conflict) Error() string {
	return fmt.Sprintf("number %d of epoch %s is another item than Kafka has (%s): the device's buffer went back in time, or two devices have one", c.Seq, c.Epoch, c.There)
}

// accept says whether an item with a number, or a part of one, is to be carried. What Kafka has under
// this number or another one is not, nor what is over a bound.
func (s *session) accept(b *batch, m *message, id parts.Identity) bool {
	k := dedup.KnownOf(&m.item)
	there, full := s.dedup.Check(id)
	if there || b.pending[id] {
		if stands, ok := s.ids.At(id.Edge, id.Epoch, id.Seq); ok && !stands.Is(k) {
			s.addConflict(b, m, id, stands)
			return false
		}
		b.repeats[id]++
		b.counts.duplicates++
		return false
	}
	if full != dedup.BoundNone {
		s.refuse(id.Edge, full)
		return false
	}
	if s.isKnown(&m.item, k) {
		s.ids.Put(id.Edge, id.Epoch, k)
		b.pending[id] = true
		b.known = append(b.known, id)
		b.counts.known++
		return false
	}
	if full = s.overBound(m); full != dedup.BoundNone {
		s.refuse(id.Edge, full)
		return false
	}
	return true
}

// isKnown says whether Kafka has an item under another number.
func (s *session) isKnown(i *event.Item, k dedup.Known) bool {
	if _, _, found := s.ids.Find(i.Edge, k); found {
		return true
	}
	return i.Attrs.Redelivered && s.ids.Redelivered(i.Edge, i.Epoch, i.ID)
}

// addConflict deals with an item whose number is another's.
func (s *session) addConflict(b *batch, m *message, id parts.Identity, stands dedup.Known) {
	b.counts.conflicts++
	b.conflicts = append(b.conflicts, conflicting{id, stands})
	if s.dedup.ShouldLog(id.Edge, dedup.BoundNumber) {
		s.Logger.Warn("items of an edge come under numbers under which Kafka has others: its buffer went back in time, or another device has a copy of it; receipts say so and the edge begins a new epoch; of an earlier program they become dead letters",
			"edge", id.Edge, "epoch", id.Epoch, "seq", id.Seq, "came", m.item.ID, "there", stands.ID)
	}
	if !s.dedup.NewerProgram(id.Edge) && !s.poison.has(sha256.Sum256(m.Payload)) {
		b.addPoison(s, m, m.Payload, &m.item, Conflict{id.Seq, id.Epoch, stands.ID.String()})
	}
}

// conflicting is a number under which another item came, and the one that stands there.
type conflicting struct {
	id     parts.Identity
	stands dedup.Known
}

// wantsPart says whether a part is to be stored: Kafka does not have its item, under this number or
// another one, and there is room for it. What there is no room for is marked.
func (s *session) wantsPart(m *message) bool {
	id := parts.IdentityOf(&m.item)
	there, full := s.dedup.Check(id)
	if there {
		return false
	}
	if s.isKnown(&m.item, dedup.KnownOf(&m.item)) {
		return false
	}
	if full == dedup.BoundNone && !s.dedup.MayStore(id.Edge, int64(len(m.item.Data)), s.cfg.StoreBytesPerDay) {
		full = dedup.BoundStore
	}
	m.over = full
	return full == dedup.BoundNone
}

// overBound says which bound, beside that of its number, an item is over.
func (s *session) overBound(m *message) dedup.Bound {
	i := &m.item
	switch {
	case i.Kind == event.Part:
		return m.over
	case i.Kind == event.Ack:
		if full := s.dropsOverBound(i); full != dedup.BoundNone {
			return full
		}
	}
	if bytes := int64(len(i.Data)); bytes > s.cfg.InlineBytes && !s.dedup.MayStore(i.Edge, bytes, s.cfg.StoreBytesPerDay) {
		return dedup.BoundStore
	}
	return dedup.BoundNone
}

func (s *session) dropsOverBound(i *event.Item) dedup.Bound {
	report, _ := event.ParseDropReport(*i) // it was seen that it can be
	return s.dedup.CheckDrops(i.Edge, i.Epoch, report)
}

// refuse counts a message that is over a bound, and logs the first in an hour.
func (s *session) refuse(edge string, why dedup.Bound) {
	s.metrics.refused.WithLabelValues(string(why)).Inc()
	if s.dedup.Refuse(edge, why) {
		s.Logger.Warn("the bridge refuses messages of an edge, which keeps them and sends them again: "+why.Explain(), "edge", edge, "bound", string(why))
	}
}

// logLoss reports knowledge that had to be forgotten.
func (s *session) logLoss(what, edge string, epoch event.Epoch, through, missing uint64) {
	s.Logger.Error(what+"; items of it that come again may be written twice", "edge", edge, "epoch", epoch, "through", through, "missing", missing)
}

// greet answers an edge that came online, and reports a twin.
func (s *session) greet(status *event.Status) {
	g := s.dedup.Greet(status)
	s.dirty = s.dirty || g.News
	if g.Full != dedup.BoundNone {
		s.refuse(status.Edge, g.Full)
	}
	if twins := g.Twins; twins != nil {
		s.Logger.Error("two agents use one name, and each throws the other out of the MQTT broker: was a device's card copied into another? Give one of them a name of its own",
			"edge", status.Edge, "epoch", twins[0], "other", twins[1])
	}
}
