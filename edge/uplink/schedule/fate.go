package schedule

import (
	"slices"
	"time"

	"cloudcanvas/shared/event"
)

// Landed notes that the broker has a part. whole says that it has all of the item now: what is left
// is the cloud's receipt.
func (s *Scheduler) Landed(now time.Time, p Part) (whole bool) {
	i, ok := s.out[p.Seq]
	if !ok || i.of != p.Of || i.flying == 0 {
		return false
	}
	i.flying--
	i.notBefore = time.Time{}
	return s.settle(now, i)
}

// settle begins the wait for the receipt once nothing is to be sent nor under way.
func (s *Scheduler) settle(now time.Time, i *item) bool {
	if i.toSend > 0 || i.flying > 0 {
		return false
	}
	i.due = now.Add(s.patience(i))
	return true
}

// mostDoublings of the receipt's time, and of the time to the next try.
const mostDoublings = 3

// patience is how long a receipt may take: longer with each try, so that a slow cloud is not flooded
// with what it already has in hand.
func (s *Scheduler) patience(i *item) time.Duration {
	return s.rules.ReceiptTimeout << min(i.entry.tried(), mostDoublings)
}

// Reconnected notes that there is a new connection: what went over the one before, and has no receipt,
// waits for it no longer than at its first try. Else outages, one after the other, would add up to
// minutes in which nothing goes again over a link that is good at last. The rest of its series waits with
// it: the broker may have lost it, and what comes later must not be there first.
func (s *Scheduler) Reconnected(now time.Time) {
	latest := now.Add(s.rules.ReceiptTimeout)
	s.receiptSeen = false
	for _, i := range s.out {
		i.here = false
		i.entry.anew()
		if i.due.After(latest) {
			i.due = latest
		}
		if c := s.of(&i.entry); c != nil && c.key.order == OldestFirst && !i.unsure {
			i.unsure = true
			c.unsure = append(c.unsure, i.entry.seq)
		}
	}
	for _, n := range s.known {
		slices.Sort(s.store.series[n].unsure)
		s.relist(n)
	}
	s.resume(now.Add(retry << mostDoublings))
}

// suspended is a series in which one has failed, until when.
type suspended struct {
	series uint16
	key    seriesKey // tells it from a later one of the same number
	until  time.Time
}

// suspend lets a series wait.
func (s *Scheduler) suspend(n uint16, until time.Time) {
	c := s.store.series[n]
	c.suspended = true
	s.waiting = append(s.waiting, suspended{n, c.key, until})
	s.relist(n)
}

// resume ends the wait of series whose time has come.
func (s *Scheduler) resume(now time.Time) {
	still := s.waiting[:0]
	for _, w := range s.waiting {
		if now.Before(w.until) {
			still = append(still, w)
			continue
		}
		if c := s.store.series[w.series]; c != nil && c.key == w.key {
			c.suspended = false
			s.relist(w.series)
		}
	}
	s.waiting = still
}

// mostFaults of an item's own, and the rest of its series goes on without it.
const mostFaults = 5

// Failed notes that a part was not sent, or that nobody knows. It goes again in a while; the other
// parts of the item wait with it, and the later ones of its series, the other items don't. own says that
// the item was at fault and not the link; after some such faults its series waits for it no longer, and
// passed is true.
func (s *Scheduler) Failed(now time.Time, p Part, own bool) (passed bool) {
	i, ok := s.out[p.Seq]
	if !ok || i.of != p.Of || i.flying == 0 {
		return false
	}
	i.flying--
	if !s.box.Waits(p.Seq) { // received or dropped meanwhile: nobody waits for it
		s.release(i)
		return false
	}
	wait := now.Add(retry << min(i.entry.tried(), mostDoublings))
	c := s.of(&i.entry)
	if c != nil && c.key.order == OldestFirst && own && i.entry.fault() >= mostFaults {
		s.release(i)
		e := i.entry
		e.series, e.tries = c.queue, 1
		s.push(e)
		return true
	}
	if i.of == 1 && c != nil && c.key.order == OldestFirst {
		i.entry.again()
		s.suspend(s.push(i.entry), wait)
		s.release(i)
		return false
	}
	if i.of == 1 {
		i.due = wait
		return false
	}
	if i.toSend == 0 {
		s.goOn(i)
	}
	i.again(p.N)
	i.notBefore = wait
	return false
}

// Held notes which parts of an item the cloud holds.
func (s *Scheduler) Held(now time.Time, held event.PartsHeld) {
	i, ok := s.out[held.Seq]
	if !ok || !i.due.IsZero() {
		return
	}
	if i.of != held.Of {
		if i.toSend < i.of || held.Of == 0 || held.Of > maxParts {
			return // it is being sent in other parts
		}
		was := i.of
		if i.recut(held.Of); !i.fits(s.packet) {
			i.recut(was) // the cloud begins anew with parts that the broker takes
			return
		}
	}
	if i.toSend == 0 {
		return
	}
	i.hold(held.Have)
	if i.toSend == 0 {
		s.pause(i)
		s.settle(now, i)
	}
}

// Doubt lets an item that was acknowledged, and perhaps thrown away, go again without waiting for its
// receipt any longer.
func (s *Scheduler) Doubt(seq uint64, now time.Time) {
	if i, ok := s.out[seq]; ok && !i.due.IsZero() {
		i.due = now
	}
}

// Overdue puts back what has had no receipt for too long, and says what that is.
func (s *Scheduler) Overdue(now time.Time) (seqs []uint64) {
	for seq, i := range s.out {
		if i.due.IsZero() || now.Before(i.due) {
			continue
		}
		if s.box.Waits(seq) {
			i.entry.again()
			s.push(i.entry) // before it is let go of: its series must not be forgotten in between
			seqs = append(seqs, seq)
		}
		s.release(i)
	}
	return seqs
}

// Sweep forgets items that don't wait any more: they were received, or given up.
func (s *Scheduler) Sweep() {
	for seq := range s.out {
		if !s.box.Waits(seq) {
			s.Forget(seq)
		}
	}
	for seq := range s.aside {
		if !s.box.Waits(seq) {
			delete(s.aside, seq)
		}
	}
	for seq := range s.unfit {
		if !s.box.Waits(seq) {
			delete(s.unfit, seq)
		}
	}
}

// Forget lets go of an item that was sent or has begun: it was received, or given up.
func (s *Scheduler) Forget(seq uint64) {
	i, ok := s.out[seq]
	if !ok {
		return
	}
	s.release(i)
	if s.receiptSeen || !i.here || i.due.IsZero() {
		return
	}
	s.receiptSeen = true
	for _, n := range s.known {
		s.relist(n)
	}
}

// release takes an item off those that are out.
func (s *Scheduler) release(i *item) {
	delete(s.out, i.entry.seq)
	s.pause(i)
	if c := s.of(&i.entry); c != nil {
		c.out--
		s.relist(i.entry.series)
	}
}

// goOn puts an item to those with parts to send.
func (s *Scheduler) goOn(i *item) {
	s.begun = append(s.begun, i)
	if c := s.of(&i.entry); c != nil {
		c.begun++
		s.relist(i.entry.series)
	}
}

// pause takes an item off those with parts to send.
func (s *Scheduler) pause(i *item) {
	at := slices.Index(s.begun, i)
	if at < 0 {
		return
	}
	s.begun = slices.Delete(s.begun, at, at+1)
	if c := s.of(&i.entry); c != nil {
		c.begun--
		s.relist(i.entry.series)
	}
}
