package schedule

import "cloudcanvas/shared/event"

// entry is an item that waits: 32 bytes, and 4 in a heap. A million of them fit a small device.
type entry struct {
	seq        uint64
	density    float32 // value per byte
	bytes      uint32  // of data
	prev, next uint32  // in the order of arrival; 0: none
	place      uint32  // in the heap
	rank       uint8   // priority and rung: the lower, the sooner
	tries      uint8
	lane       uint16
}

func rankOf(p event.Priority, r event.Rung) uint8 {
	return min(uint8(p), 15)<<4 | min(uint8(r), 15)
}

func (e *entry) priority() event.Priority { return event.Priority(e.rank >> 4) }
func (e *entry) rung() event.Rung         { return event.Rung(e.rank & 15) }
func (e *entry) urgent() bool             { return e.rank>>4 == 0 }

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
		*s = store{}
	}
}

// lane is what waits of the streams that share a quota: a heap in the order of sending, and for all
// but the urgent a list in the order of arrival.
type lane struct {
	quota       *Quota // nil: none
	spent       spending
	heap        []uint32
	first, last uint32 // of the list
}

func (s *store) push(l *lane, e entry) {
	slot := s.put(e)
	if at := s.at(slot); !at.urgent() {
		s.link(l, slot, at)
	}
	l.heap = append(l.heap, slot)
	s.up(l, len(l.heap)-1)
}

// link puts an entry into the list where its number belongs. New ones have the highest number, ones
// that come again mostly the lowest, so few steps are made from either end; those in between go to
// the front half they are found in first.
func (s *store) link(l *lane, slot uint32, e *entry) {
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

// remove takes an entry out of its lane.
func (s *store) remove(l *lane, slot uint32) entry {
	e := s.at(slot)
	if !e.urgent() {
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
	hole, end := int(e.place), len(l.heap)-1
	if hole != end {
		l.heap[hole] = l.heap[end]
		s.at(l.heap[hole]).place = uint32(hole)
	}
	l.heap = l.heap[:end]
	if hole < end {
		s.down(l, hole)
		s.up(l, hole)
	}
	if cap(l.heap) > 4*chunkEntries && len(l.heap) < cap(l.heap)/4 {
		l.heap = append(make([]uint32, 0, 2*len(l.heap)), l.heap...)
	}
	out := *e
	s.drop(slot)
	return out
}

func (s *store) up(l *lane, i int) {
	slot := l.heap[i]
	e := s.at(slot)
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(s.at(l.heap[parent])) {
			break
		}
		s.set(l, i, l.heap[parent])
		i = parent
	}
	s.set(l, i, slot)
}

func (s *store) down(l *lane, i int) {
	slot := l.heap[i]
	e := s.at(slot)
	for {
		child := 2*i + 1
		if child >= len(l.heap) {
			break
		}
		if right := child + 1; right < len(l.heap) && s.at(l.heap[right]).before(s.at(l.heap[child])) {
			child = right
		}
		if !s.at(l.heap[child]).before(e) {
			break
		}
		s.set(l, i, l.heap[child])
		i = child
	}
	s.set(l, i, slot)
}

func (s *store) set(l *lane, i int, slot uint32) {
	l.heap[i] = slot
	s.at(slot).place = uint32(i)
}
