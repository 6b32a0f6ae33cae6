package schedule

import (
	"path"
	"slices"

	"cloudcanvas/shared/event"
)

// Order is which item of a stream goes first, among those of one priority and rung.
type Order string

// The orders. An item of an oldest-first series never passes an older one of it.
const (
	OldestFirst Order = "oldest"
	NewestFirst Order = "newest"
	ByValue     Order = "value" // per byte, then age: items that are no series
)

// OrderRule sets the order of the streams that match a pattern; the first that fits holds.
type OrderRule struct {
	Streams string       `yaml:"streams" desc:"a stream's name, or a pattern: camera-*"`
	Kinds   []event.Kind `yaml:"kinds" desc:"kinds of items: reading, track, result, frame, crop, tile, scene, alert" default:"all"`
	Order   Order        `yaml:"order" desc:"what goes first; value is value per byte" enum:"oldest, newest, value"`
}

// orderOf is the order of a stream's items of one kind: what is a series goes oldest first, what a person
// looks at newest first.
func (r *Rules) orderOf(stream string, kind event.Kind) Order {
	for _, o := range r.Order {
		if ok, err := path.Match(o.Streams, stream); ok && err == nil && (len(o.Kinds) == 0 || slices.Contains(o.Kinds, kind)) {
			return o.Order
		}
	}
	switch kind {
	case event.Reading, event.Track, event.Result:
		return OldestFirst
	case event.Frame, event.Crop:
		return NewestFirst
	}
	return ByValue
}

// series is what waits of one stream, priority and rung that goes in the order of its numbers. Only its
// first is in its queue's heap, and only while it may go.
type series struct {
	heap
	key       seriesKey
	queue     uint16
	place     uint32 // of its first in the queue's heap, where listed
	listed    bool
	out       int      // items that have begun, or were sent and have no receipt
	begun     int      // of those, with parts to send
	unsure    []uint64 // of those, sent over a connection that is gone: the cloud may lack them. Ascending; some may be settled
	suspended bool     // one failed: the others wait with it
}

type seriesKey struct {
	stream string
	order  Order
	queue  uint16
	rank   uint8
}

// mostSeries bounds them, as an entry has two bytes for the number of its series. Streams beyond it share
// one: their order holds, the value of their items decides less.
const mostSeries = 60_000

// free says whether the first that waits may go. In an oldest-first series it waits for what is before it.
func (s *Scheduler) free(c *series) bool {
	if len(c.slots) == 0 {
		return false
	}
	if c.key.order != OldestFirst {
		return true
	}
	return !c.suspended && (s.receiptSeen || c.out == 0) && !s.behind(c, s.store.at(c.slots[0]).seq)
}

// behind says whether an older item of a series is out whose fate decides when this one may go.
func (s *Scheduler) behind(c *series, seq uint64) bool {
	for len(c.unsure) > 0 {
		if i, ok := s.out[c.unsure[0]]; ok && i.unsure {
			break
		}
		c.unsure = c.unsure[1:]
	}
	if len(c.unsure) > 0 && c.unsure[0] < seq {
		return true
	}
	if c.begun == 0 {
		return false
	}
	return slices.ContainsFunc(s.begun, func(i *item) bool { return s.of(&i.entry) == c && i.entry.seq < seq })
}

// turn says whether it is a begun item's turn in its series.
func (s *Scheduler) turn(i *item) bool {
	c := s.of(&i.entry)
	if c == nil || c.key.order != OldestFirst {
		return true
	}
	return !s.behind(c, i.entry.seq) && (len(c.slots) == 0 || s.store.at(c.slots[0]).seq >= i.entry.seq)
}

// seriesOf is the number of the series that an item belongs to: a queue's own for items that are none.
func (s *Scheduler) seriesOf(stream string, kind event.Kind, rank uint8) uint16 {
	queue := s.queueOfStream(stream)
	order := s.rules.orderOf(stream, kind)
	if order != OldestFirst && order != NewestFirst {
		return queue
	}
	return s.find(seriesKey{stream, order, queue, rank})
}

// find gives the number of a series, begun if there is none.
func (s *Scheduler) find(key seriesKey) uint16 {
	if n, ok := s.known[key]; ok {
		return n
	}
	if len(s.known) >= mostSeries {
		key.stream = ""
		if n, ok := s.known[key]; ok {
			return n
		}
		if len(s.store.series) > 1<<16-1 && len(s.unused) == 0 {
			return key.queue
		}
	}
	c := &series{key: key, queue: key.queue}
	c.series = c
	var n uint16
	if last := len(s.unused) - 1; last >= 0 {
		n, s.unused = s.unused[last], s.unused[:last]
		s.store.series[n] = c
	} else {
		n = uint16(len(s.store.series))
		s.store.series = append(s.store.series, c)
	}
	s.known[key] = n
	return n
}

// of is the series of an entry; nil where it is in none.
func (s *Scheduler) of(e *entry) *series {
	if int(e.series) < len(s.queues) {
		return nil
	}
	return s.store.series[e.series]
}

func (s *Scheduler) queueOf(e *entry) *quotaQueue { return &s.queues[s.store.series[e.series].queue] }

// relist puts the first of a series into its queue's heap, or takes it out, as it may go or not; one of
// which nothing is left is forgotten.
func (s *Scheduler) relist(n uint16) {
	c := s.store.series[n]
	if c == nil || int(n) < len(s.queues) {
		return
	}
	switch free := s.free(c); {
	case free && !c.listed:
		s.store.list(&s.queues[c.queue], c)
	case !free && c.listed:
		s.store.unlist(&s.queues[c.queue], c)
	}
	if len(c.slots) == 0 && c.out == 0 {
		delete(s.known, c.key)
		s.store.series[n] = nil
		s.unused = append(s.unused, n)
	}
}
