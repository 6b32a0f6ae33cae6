package schedule

import (
	"slices"
	"time"
)

// limits are how many bytes a part may have on the link.
type limits struct {
	window     int64 // until it closes
	urgent     int64 // window and budget
	other      int64 // the same, without the reserve for urgent ones
	partBytes  int   // how large parts are cut now
	measured   bool  // the rate of the link is known
	shares     bool  // streams over their share wait
	bounded    bool  // the window has an end that is near enough to matter
	beginNoNew bool
	packet     int64 // the largest that the broker takes; 0: no bound is known
}

func (l limits) of(urgent bool) int64 {
	if urgent {
		return l.urgent
	}
	return l.other
}

// Choose gives the part that goes next, and counts it as gone; or says why none does.
func (s *Scheduler) Choose(now time.Time, link Link) (Part, Hold) {
	w, open := s.contacts.At(now)
	if !open {
		return Part{}, Closed
	}
	s.bringBack(now, link.Packet)
	if len(s.begun) == 0 && s.empty() {
		return Part{}, s.nothing()
	}
	if link.Room <= 0 {
		return Part{}, NoRoom
	}
	s.roll(now, w)
	s.resume(now)
	lim := limits{window: unending, partBytes: s.partBytes(link.Rate, link.Packet), measured: link.Rate > 0, beginNoNew: len(s.out) >= maxOut, packet: link.Packet}
	if !w.To.IsZero() {
		rate := link.Rate
		if rate == 0 {
			rate = w.BytesPerSecond
		}
		if rate > 0 {
			lim.window = max(int64(rate*w.To.Sub(now).Seconds())-link.Flying, 0)
			lim.bounded = true
		}
	}
	lim.urgent, lim.other = s.budgetLeft()
	lim.urgent, lim.other = min(lim.urgent, lim.window), min(lim.other, lim.window)
	s.shrink(lim)
	for _, lim.shares = range []bool{true, false} {
		for n := 0; n < maxCandidates; n++ {
			i, why := s.pick(now, lim)
			if i == nil {
				break
			}
			if i.toSend == 0 {
				if _, aside := s.aside[i.entry.seq]; aside {
					n-- // however many they are, they hold nobody back
				}
				continue
			}
			wire := i.wire(i.next())
			if link.Flying > 0 && 2*link.Room < wire && !i.entry.urgent() {
				return Part{}, NoRoom
			}
			if wire <= lim.of(i.entry.urgent()) {
				return s.take(i, why), None
			}
		}
	}
	if len(s.begun) == 0 && s.empty() {
		return Part{}, s.nothing()
	}
	if len(s.begun) == 0 && s.blocked() {
		return Part{}, InOrder
	}
	if s.resting(now) {
		return Part{}, Again
	}
	return Part{}, NoBudget
}

// resting says whether all that has begun failed a moment ago, and nothing else waits that may go.
func (s *Scheduler) resting(now time.Time) bool {
	return len(s.begun) > 0 && s.blocked() && !slices.ContainsFunc(s.begun, func(i *item) bool { return !now.Before(i.notBefore) })
}

// nothing says why nothing is left that may go.
func (s *Scheduler) nothing() Hold {
	if len(s.aside) > 0 {
		return TooLarge
	}
	return Empty
}

func (s *Scheduler) empty() bool { return s.store.count() == 0 }

// blocked says whether all that waits has older items of its series before it.
func (s *Scheduler) blocked() bool {
	for i := range s.queues {
		if len(s.queues[i].slots) > 0 {
			return false
		}
	}
	return true
}

// pick is the item whose turn it is, begun if it had not. It may turn out to be with the cloud
// already, or to be cut into parts that do not fit: then another pick finds another.
func (s *Scheduler) pick(now time.Time, lim limits) (*item, Reason) {
	running := s.bestBegun(now, lim)
	var slot uint32
	for n := range s.queues {
		if h := s.head(&s.queues[n], lim); h != 0 && (slot == 0 || s.store.at(h).before(s.store.at(slot))) {
			slot = h
		}
	}
	var rank uint8
	switch {
	case running == nil && slot == 0:
		return nil, ""
	case running != nil && (slot == 0 || running.entry.rank <= s.store.at(slot).rank):
		rank = running.entry.rank
		slot = 0
	default:
		rank = s.store.at(slot).rank
		running = nil
	}
	if rank>>4 != 0 && s.owed >= float64(s.rules.PartBytes) {
		if i := s.oldest(now, lim); i != nil {
			return i, Oldest
		}
		s.owed = 0 // whoever is held back by a quota does not save up
	}
	why := Best
	if rank>>4 == 0 {
		why = Urgent
	}
	if running != nil {
		if why != Urgent {
			why = Begun
		}
		return running, why
	}
	return s.begin(now, slot, lim), why
}

// bestBegun is the begun item that goes on first.
func (s *Scheduler) bestBegun(now time.Time, lim limits) *item {
	var best *item
	for _, i := range s.begun {
		if lim.measured {
			i.refit(lim.partBytes)
		}
		if s.goesOn(i, now, lim) && (best == nil || i.entry.before(&best.entry)) {
			best = i
		}
	}
	return best
}

func (s *Scheduler) goesOn(i *item, now time.Time, lim limits) bool {
	wire := i.wire(i.next())
	return !now.Before(i.notBefore) && s.turn(i) && wire <= lim.of(i.entry.urgent()) && s.allowed(s.queueOf(&i.entry), &i.entry, wire, lim)
}

// head is the first item of a queue that may begin and fits; 0 if there is none near the front. One
// that can be whole before the window closes goes before one of the same rank that can't.
func (s *Scheduler) head(l *quotaQueue, lim limits) (found uint32) {
	for {
		var dead []uint32
		s.scan(&l.heap, maxCandidates, func(slot uint32) bool {
			e := s.store.at(slot)
			switch part, whole := cutWire(e, lim.partBytes); {
			case found != 0 && e.rank != s.store.at(found).rank:
				return false
			case !s.alive(e.seq):
				dead = append(dead, slot)
			case lim.beginNoNew && !e.urgent():
			case part > lim.of(e.urgent()) || !s.allowed(l, e, part, lim):
			case !lim.bounded || whole <= lim.window:
				found = slot
				return false
			case found == 0:
				found = slot
			}
			return true
		})
		for _, slot := range dead {
			s.pull(slot)
		}
		if found != 0 || len(dead) == 0 {
			return found
		}
	}
}

// alive says whether an entry still stands for an item that waits.
func (s *Scheduler) alive(seq uint64) bool {
	_, out := s.out[seq]
	return !out && s.box.Waits(seq)
}

// oldest is the item with the lowest number that is not urgent and may go.
func (s *Scheduler) oldest(now time.Time, lim limits) *item {
	var running *item
	for _, i := range s.begun {
		if !i.entry.urgent() && s.goesOn(i, now, lim) && (running == nil || i.entry.seq < running.entry.seq) {
			running = i
		}
	}
	var slot uint32
	for n := range s.queues {
		l := &s.queues[n]
		for l.first != 0 && !s.alive(s.store.at(l.first).seq) {
			s.pull(l.first)
		}
		first := s.oldestOf(l)
		if first == 0 || lim.beginNoNew {
			continue
		}
		e := s.store.at(first)
		part, _ := cutWire(e, lim.partBytes)
		if part <= lim.other && s.allowed(l, e, part, lim) && (slot == 0 || e.seq < s.store.at(slot).seq) {
			slot = first
		}
	}
	if slot == 0 || running != nil && running.entry.seq < s.store.at(slot).seq {
		return running
	}
	return s.begin(now, slot, lim)
}

// oldestOf is what came first of a queue and may go; 0 if there is none near the front.
func (s *Scheduler) oldestOf(l *quotaQueue) uint32 {
	slot := l.first
	for n := 0; n < maxCandidates && slot != 0; n++ {
		c := s.of(s.store.at(slot))
		if c == nil || c.key.order != OldestFirst {
			return slot
		}
		for c.listed && !s.alive(s.store.at(c.slots[0]).seq) {
			s.pull(c.slots[0])
		}
		if c.listed {
			return c.slots[0]
		}
		slot = s.store.at(slot).next
	}
	return 0
}

// begin takes an item out of its queue and cuts it; what the cloud holds of it is not sent again.
func (s *Scheduler) begin(now time.Time, slot uint32, lim limits) *item {
	i := newItem(s.store.remove(s.queues, slot), lim.partBytes)
	i.here = true
	s.out[i.entry.seq] = i
	if c := s.of(&i.entry); c != nil {
		c.out++
	}
	defer s.relist(i.entry.series)
	if of, have := s.box.Parts(i.entry.seq); of > 0 {
		i.recut(of)
		if i.fits(lim.packet) {
			i.hold(have)
		} else {
			i.recut(cut(i.entry.bytes, lim.partBytes))
		}
	}
	if until, unfit := s.unfit[i.entry.seq]; unfit || !i.fits(lim.packet) {
		delete(s.unfit, i.entry.seq)
		s.putAside(i, until)
		i.toSend = 0
		return i
	}
	if i.toSend == 0 {
		i.due = now.Add(s.patience(i))
		return i
	}
	s.goOn(i)
	return i
}

// take counts the item's next part as gone.
func (s *Scheduler) take(i *item, why Reason) Part {
	n := i.next()
	p := Part{Seq: i.entry.seq, N: n, Of: i.of, Wire: i.wire(n), Priority: i.entry.priority(), Rung: i.entry.rung(), Why: why}
	old := why == Oldest || s.isOldest(i)
	i.fly(n)
	if i.toSend == 0 {
		s.pause(i)
	}
	if c := s.of(&i.entry); c != nil && c.key.order == OldestFirst {
		p.Series = i.entry.series
	}
	s.spend(s.queueOf(&i.entry), p.Wire, i.entry.urgent(), old)
	return p
}

// isOldest says whether nothing that waits is older: then its bytes count for the share of the oldest.
func (s *Scheduler) isOldest(i *item) bool {
	for _, other := range s.begun {
		if !other.entry.urgent() && other.entry.seq < i.entry.seq {
			return false
		}
	}
	for n := range s.queues {
		if f := s.queues[n].first; f != 0 && s.store.at(f).seq < i.entry.seq {
			return false
		}
	}
	return true
}

// partBytes is how large the parts of an item that begins now are.
func (s *Scheduler) partBytes(rate float64, packet int64) int {
	most := s.rules.PartBytes
	if packet > 0 {
		most = int(min(int64(most), max(packet-Overhead, least)))
	}
	if rate == 0 {
		return min(unknown, most)
	}
	return min(max(int(min(rate*partTime, 1<<30))-Overhead, least), most)
}

// scan visits the first items of a heap in order, at most so many, until visit says false.
func (s *Scheduler) scan(p *heap, most int, visit func(slot uint32) bool) {
	f := s.frontier[:0]
	if len(p.slots) > 0 {
		f = append(f, 0)
	}
	for n := 0; n < most && len(f) > 0; n++ {
		first := 0
		for c := range f {
			if s.store.sooner(p, p.slots[f[c]], p.slots[f[first]]) {
				first = c
			}
		}
		at := f[first]
		f[first] = f[len(f)-1]
		f = f[:len(f)-1]
		if !visit(p.slots[at]) {
			break
		}
		for child := 2*at + 1; child <= 2*at+2 && child < len(p.slots); child++ {
			f = append(f, child)
		}
	}
	s.frontier = f[:0]
}
