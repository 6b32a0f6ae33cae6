package bridge

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/trace"
)

type brokerMessage = mqtt.Message

// entry is a record on its way into Kafka, and what is true once it is there.
type entry struct {
	record kafka.Record
	id     parts.Identity   // epoch "" for what has no number
	drops  []parts.Identity // numbers that a drop report accounts for
	poison bool
	done   bool
	traced *event.Item // the item without its data; nil: no spans
}

// batch is what one commit makes of some messages.
type batch struct {
	entries     []entry
	pending     map[parts.Identity]bool // in entries
	repeats     map[parts.Identity]int  // that Kafka has already, and how often they came: their edges missed a receipt
	spoiled     map[parts.Identity]int  // poison, by edge and epoch as far as they are known
	poison      map[[sha256.Size]byte]bool
	whole       []parts.Identity // put together from parts
	greeted     []*event.Status  // of edges that came online
	known       []parts.Identity // numbers whose items Kafka has under others
	conflicts   []conflicting
	began       time.Time
	trace       *trace.Tracer
	objects     []object
	objectBytes int64 // of those
	counts      struct{ items, duplicates, parts, poison, conflicts, known int }
}

// commit makes a batch durable, in this order: parts into the store; what has become whole, and
// everything else, into Kafka (large data into the store before the record that points to it);
// PUBACKs in the order of arrival, as MQTT wants them; receipts.
func (s *session) commit(ctx context.Context, messages []*message) error {
	if err := s.storeParts(ctx, messages); err != nil {
		return err
	}
	b := &batch{entries: make([]entry, 0, len(messages)), pending: make(map[parts.Identity]bool, len(messages)), repeats: map[parts.Identity]int{}, spoiled: map[parts.Identity]int{},
		began: time.Now(), trace: s.Trace}
	for _, m := range messages {
		if err := s.place(ctx, b, m); err != nil {
			return err
		}
	}
	if err := s.flush(ctx, b); err != nil {
		return err
	}
	if err := s.append(ctx, b); err != nil {
		return err
	}
	select {
	case s.settled <- messages:
	case <-ctx.Done():
	}
	s.record(ctx, b)
	return nil
}

// acknowledge sends the PUBACKs of what is settled, in the order of arrival, and makes room for more,
// while the next batch is on its way.
func (s *session) acknowledge(ctx context.Context) {
	for {
		select {
		case messages := <-s.settled:
			for _, m := range messages {
				m.Ack()
			}
			s.queue.done(messages)
		case <-ctx.Done():
			return
		}
	}
}

// place decides what becomes of a message.
func (s *session) place(ctx context.Context, b *batch, m *message) error {
	if m.status != nil {
		if m.status.Status == event.Online && s.Slots.Carries(m.status.Edge) {
			s.dirty = s.dedup.NoteProgram(m.status) || s.dirty
			b.greeted = append(b.greeted, m.status)
		}
		return nil
	}
	if m.err != nil {
		b.addPoison(s, m, m.Payload, &m.item, m.err)
		return nil
	}
	id := parts.IdentityOf(&m.item)
	if !s.Slots.Carries(id.Edge) {
		return nil // its owner is another, and its edge sends it until there is a receipt
	}
	if id.Epoch != "" && !s.accept(b, m, id) {
		return nil
	}
	if m.item.Kind != event.Part {
		s.enqueue(b, &m.item)
		return nil
	}
	return s.placePart(ctx, b, m, id)
}

// placePart decides what becomes of a part, and of its item when it is whole.
func (s *session) placePart(ctx context.Context, b *batch, m *message, id parts.Identity) error {
	if !m.stored {
		return nil // it comes again
	}
	b.counts.parts++
	a := s.parts.Find(id)
	if a == nil || a.Spent || a.Cut != parts.CutOf(&m.item) { // given up, or begun anew by a later part of this batch
		s.remove(ctx, parts.CutOf(&m.item).Key(m.item.Attrs.Part))
		return nil
	}
	whole := s.parts.Stored(a, &m.item)
	s.dedup.Hold(a, m.item.Attrs.Part)
	s.giveUp(ctx, dedup.BoundParts, s.parts.Surplus(a, s.cfg.PartsEdgeBytes))
	if !whole && !s.parts.TooLarge(a) {
		return nil
	}
	if b.objectBytes >= s.cfg.BatchBytes { // only one whole at a time beyond what a batch may have
		if err := s.flush(ctx, b); err != nil {
			return err
		}
	}
	var item event.Item
	err := s.retry(ctx, "putting an item together from its parts", func() (err error) {
		item, err = s.parts.Whole(ctx, a)
		return retriable(err)
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.whole = append(b.whole, id)
	if err == nil {
		err = item.CheckContent()
	}
	if err == nil && item.Kind == event.Ack && s.dropsOverBound(&item) != dedup.BoundNone {
		err = fmt.Errorf("%w: %s", event.ErrTooLarge, dedup.BoundAhead.Explain())
	}
	if err != nil {
		// The edge sends it once more; only what then comes out the same is given up.
		if item.Data == nil {
			item.Data = []byte(item.ID.String()) // too large to be looked at: there are only its name and the reason
		}
		a.Spent = true
		s.dedup.Lose(a.Cut)
		b.addPoison(s, m, item.Data, &item, err)
		return nil
	}
	s.enqueue(b, &item)
	return nil
}

// enqueue lets an item go into Kafka, and remembers which it is.
func (s *session) enqueue(b *batch, item *event.Item) {
	if item.Epoch != "" {
		s.ids.Put(item.Edge, item.Epoch, dedup.KnownOf(item))
	}
	b.add(item, s.cfg.InlineBytes)
}

// retriable passes on what may go away by itself, and lets the rest be the item's own fault.
func retriable(err error) error {
	for _, own := range []error{event.ErrDigest, event.ErrTooLarge, event.ErrMalformed, event.ErrIncomplete} {
		if errors.Is(err, own) {
			return permanent{err}
		}
	}
	return err
}

// add lets an item go into Kafka: where Route says, at the time it comes. The item's own time stays
// in its envelope: as a record's it would let Kafka refuse it, or delete it at once, where the
// edge's clock is wrong.
func (b *batch) add(item *event.Item, inline int64) {
	e := entry{id: parts.IdentityOf(item)}
	if item.Kind == event.Ack {
		report, _ := event.ParseDropReport(*item) // read has seen that it can be
		for epoch, d := range report.Each(item.Epoch) {
			e.drops = append(e.drops, parts.Identity{Edge: item.Edge, Epoch: epoch, Seq: d.Seq})
		}
	}
	if item.Kind == event.Tile && item.Type == linktile.MediaType && item.Attrs.Scene != "" && item.Attrs.Tile != "" && linktile.Keeps(item.Data) {
		b.objects = append(b.objects, object{event.BaseKey(item), item.Data})
		b.objectBytes += int64(len(item.Data))
	}
	if int64(len(item.Data)) > inline {
		key := objectKey(item)
		b.objects = append(b.objects, object{key, item.Data})
		b.objectBytes += int64(len(item.Data))
		item.Attrs.DataRef, item.Data = key, nil
	}
	e.record = kafka.RecordOf(*item)
	e.record.Time = time.Time{}
	if b.trace.On() {
		traced := *item
		traced.Data = nil
		e.traced = &traced
	}
	if e.id.Epoch != "" {
		b.pending[e.id] = true
	}
	b.entries = append(b.entries, e)
	b.counts.items++
}

// record notes what Kafka has now.
func (s *session) record(ctx context.Context, b *batch) {
	numbers := map[parts.Identity][]uint64{} // by edge and epoch
	written := map[parts.Identity]uint64{}
	last := map[parts.Identity]dedup.Known{}
	for n := range b.entries {
		e := &b.entries[n]
		s.written += int64(len(e.record.Value))
		if e.poison {
			s.poison.add(fingerprintOf(e.record))
		}
		if e.traced != nil {
			s.Trace.Item(e.traced, trace.Bridge, b.began, time.Now(), trace.Attr{Key: "messaging.destination.name", Text: e.record.Topic})
		}
		if e.id.Epoch == "" {
			continue
		}
		of := parts.Identity{Edge: e.id.Edge, Epoch: e.id.Epoch}
		numbers[of] = append(numbers[of], e.id.Seq)
		if k, ok := s.ids.At(of.Edge, of.Epoch, e.id.Seq); ok && k.Seq >= last[of].Seq {
			last[of] = k
		}
		if !e.poison {
			written[of]++
		}
		for _, d := range e.drops {
			its := parts.Identity{Edge: d.Edge, Epoch: d.Epoch}
			numbers[its] = append(numbers[its], d.Seq)
			s.discard(ctx, d)
		}
	}
	for of, seqs := range numbers {
		s.dedup.Add(of.Edge, of.Epoch, seqs...)
		if k, ok := last[of]; ok {
			s.dedup.SetLast(of.Edge, of.Epoch, k)
		}
		s.dedup.Count(of.Edge, of.Epoch, func(c *dedup.Counts) { c.Written += written[of] })
	}
	for id, times := range b.repeats {
		s.dedup.Repeat(id.Edge, id.Epoch)
		s.dedup.Count(id.Edge, id.Epoch, func(c *dedup.Counts) { c.Duplicates += uint64(times) })
	}
	for _, status := range b.greeted {
		s.greet(status)
	}
	for _, c := range b.conflicts {
		s.dedup.AddConflict(c.id.Edge, c.id.Epoch, c.stands)
	}
	for _, id := range b.known {
		s.dedup.AddUnsaved(id.Edge, id.Epoch, id.Seq)
		if k, ok := s.ids.At(id.Edge, id.Epoch, id.Seq); ok {
			s.dedup.SetLast(id.Edge, id.Epoch, k)
		}
		s.dedup.Count(id.Edge, id.Epoch, func(c *dedup.Counts) { c.Known++ })
		s.discard(ctx, id)
	}
	for of, times := range b.spoiled {
		s.dedup.Count(of.Edge, of.Epoch, func(c *dedup.Counts) { c.Poison += uint64(times) })
	}
	for _, id := range b.whole {
		s.discard(ctx, id)
	}
	s.dirty = s.dirty || len(b.entries) > 0 || len(numbers) > 0 || len(b.known) > 0 || len(b.conflicts) > 0
	if len(b.known) > 0 && time.Since(s.checked) >= s.cfg.ReceiptEvery {
		s.checkpoint(ctx) // receipts for these wait for one
	}
	s.metrics.count(b)
}
