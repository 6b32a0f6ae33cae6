package schedule

import "cloudcanvas/shared/event"

// entry is an item that waits: 32 bytes, and 4 in a heap. A million of them fit a small device.
type entry struct {
	seq        uint64
	density    float32 // value per byte
	bytes      uint32  // of data
	prev, next uint32  // in the order of arrival; 0: none
	place      uint32  // in its series' heap, or in its queue's where it is in none
	rank       uint8   // priority and rung: the lower, the sooner
	tries      uint8   // low four bits: without a receipt, high four: failures of its own
	series     uint16
}

func rankOf(p event.Priority, r event.Rung) uint8 {
	return min(uint8(p), 15)<<4 | min(uint8(r), 15)
}

func (e *entry) priority() event.Priority { return event.Priority(e.rank >> 4) }
func (e *entry) rung() event.Rung         { return event.Rung(e.rank & 15) }
func (e *entry) urgent() bool             { return e.rank>>4 == 0 }

// tried is how often it was sent without a receipt, at most 15.
func (e *entry) tried() uint8 { return e.tries & 15 }
func (e *entry) again()       { e.tries = e.tries&0xf0 | min(e.tried()+1, 15) }
func (e *entry) anew()        { e.tries &= 0xf0 }

// fault counts a failure of the item's own and says how many that makes.
func (e *entry) fault() uint8 {
	n := min(e.tries>>4+1, 15)
	e.tries = e.tries&15 | n<<4
	return n
}

// before is the order of sending: priority, rung, value per byte, age.
func (e *entry) before(o *entry) bool {
	if e.rank != o.rank {
		return e.rank < o.rank
	}
	if e.density != o.density {
		return e.density > o.density
	}
	return e.seq < o.seq
}

// store holds entries in chunks, so that growing copies nothing. A slot is a number from 1.
type store struct {
	chunks [][]entry
	used   uint32
	free   []uint32
	series []*series // by number; the first are the queues' own, of items that are in none
}

const chunkEntries = 4096

func (s *store) at(slot uint32) *entry { return &s.chunks[slot/chunkEntries][slot%chunkEntries] }

func (s *store) put(e entry) uint32 {
	var slot uint32
	if n := len(s.free); n > 0 {
		slot, s.free = s.free[n-1], s.free[:n-1]
	} else {
		s.used++
		slot = s.used
		if int(slot/chunkEntries) == len(s.chunks) {
			s.chunks = append(s.chunks, make([]entry, chunkEntries))
		}
	}
	*s.at(slot) = e
	return slot
}

func (s *store) drop(slot uint32) {
	s.free = append(s.free, slot)
	if len(s.free) == int(s.used) { // nothing waits: give the memory of a backlog back
		*s = store{series: s.series}
	}
}

func (s *store) count() int { return int(s.used) - len(s.free) }

// heap is a heap of slots: a queue's in the order of sending, a series' in the order of its numbers.
type heap struct {
	slots  []uint32
	series *series // nil: a queue's
}

// quotaQueue is what waits of the streams that share a quota: a heap in the order of sending of what is in no
// series and of the first of each series, and for all but the urgent a list in the order of arrival.
type quotaQueue struct {
	quota *Quota // nil: none
	spent spending
	heap
	first, last uint32 // of the list
}

func (s *store) push(queues []quotaQueue, e entry) {
	slot := s.put(e)
	c := s.series[e.series]
	l := &queues[c.queue]
	if at := s.at(slot); !at.urgent() {
		s.link(l, slot, at)
	}
	if int(e.series) < len(queues) {
		s.add(&l.heap, slot)
		return
	}
	if s.add(&c.heap, slot); c.listed && c.slots[0] == slot {
		s.replace(l, c)
	}
}

// list puts the first of a series into its queue's heap.
func (s *store) list(l *quotaQueue, c *series) {
	c.listed = true
	s.add(&l.heap, c.slots[0])
}

// unlist takes it out again.
func (s *store) unlist(l *quotaQueue, c *series) {
	c.listed = false
	s.pull(&l.heap, int(c.place))
}

// replace lets the queue know that another one is the first of a series.
func (s *store) replace(l *quotaQueue, c *series) {
	l.slots[c.place] = c.slots[0]
	s.fix(&l.heap, int(c.place))
}

// link puts an entry into the list where its number belongs. New ones have the highest number, ones
// that come again mostly the lowest, so few steps are made from either end; those in between go to
// the front half they are found in first.
func (s *store) link(l *quotaQueue, slot uint32, e *entry) {
	const steps = 8
	after := l.last
	for n := 0; after != 0 && s.at(after).seq > e.seq; n++ {
		if n == steps {
			after = 0
			break
		}
		after = s.at(after).prev
	}
	e.prev = after
	if after == 0 {
		e.next = l.first
		l.first = slot
	} else {
		e.next = s.at(after).next
		s.at(after).next = slot
	}
	if e.next == 0 {
		l.last = slot
	} else {
		s.at(e.next).prev = slot
	}
}

// remove takes an entry out of its series and its queue.
func (s *store) remove(queues []quotaQueue, slot uint32) entry {
	e := s.at(slot)
	c := s.series[e.series]
	l := &queues[c.queue]
	if !e.urgent() {
		s.unlink(l, e)
	}
	if int(e.series) < len(queues) {
		s.pull(&l.heap, int(e.place))
	} else {
		first := c.slots[0] == slot
		if first && c.listed && len(c.slots) == 1 {
			s.unlist(l, c)
		}
		if s.pull(&c.heap, int(e.place)); first && c.listed {
			s.replace(l, c)
		}
	}
	out := *e
	s.drop(slot)
	return out
}

func (s *store) unlink(l *quotaQueue, e *entry) {
	if e.prev != 0 {
		s.at(e.prev).next = e.next
	} else {
		l.first = e.next
	}
	if e.next != 0 {
		s.at(e.next).prev = e.prev
	} else {
		l.last = e.prev
	}
}

func (s *store) add(p *heap, slot uint32) {
	p.slots = append(p.slots, slot)
	s.up(p, len(p.slots)-1)
}

// pull takes what is at that place out of a heap.
func (s *store) pull(p *heap, hole int) {
	end := len(p.slots) - 1
	if hole != end {
		s.set(p, hole, p.slots[end])
	}
	if p.slots = p.slots[:end]; hole < end {
		s.fix(p, hole)
	}
	if cap(p.slots) > 4*chunkEntries && len(p.slots) < cap(p.slots)/4 {
		p.slots = append(make([]uint32, 0, 2*len(p.slots)), p.slots...)
	}
}

func (s *store) fix(p *heap, i int) {
	s.down(p, i)
	s.up(p, i)
}

// sooner says which of two goes first.
func (s *store) sooner(p *heap, a, b uint32) bool {
	switch c := p.series; {
	case c == nil:
		return s.at(a).before(s.at(b))
	case c.key.order == NewestFirst:
		return s.at(a).seq > s.at(b).seq
	}
	return s.at(a).seq < s.at(b).seq
}

func (s *store) up(p *heap, i int) {
	slot := p.slots[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !s.sooner(p, slot, p.slots[parent]) {
			break
		}
		s.set(p, i, p.slots[parent])
		i = parent
	}
	s.set(p, i, slot)
}

func (s *store) down(p *heap, i int) {
	slot := p.slots[i]
	for {
		child := 2*i + 1
		if child >= len(p.slots) {
			break
		}
		if right := child + 1; right < len(p.slots) && s.sooner(p, p.slots[right], p.slots[child]) {
			child = right
		}
		if !s.sooner(p, p.slots[child], slot) {
			break
		}
		s.set(p, i, p.slots[child])
		i = child
	}
	s.set(p, i, slot)
}

func (s *store) set(p *heap, i int, slot uint32) {
	p.slots[i] = slot
	e := s.at(slot)
	if c := s.series[e.series]; p.series == nil && c.listed {
		c.place = uint32(i)
		return
	}
	e.place = uint32(i)
}
