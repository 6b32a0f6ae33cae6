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
	if i.left > 0 || i.flying > 0 {
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
	return s.rules.ReceiptTimeout << min(i.entry.tries, mostDoublings)
}

// Reconnected notes that there is a new connection: what went over the one before, and has no receipt,
// waits for it no longer than at its first try. Else outages, one after the other, would add up to
// minutes in which nothing goes again over a link that is good at last.
func (s *Scheduler) Reconnected(now time.Time) {
	latest := now.Add(s.rules.ReceiptTimeout)
	for _, i := range s.out {
		i.entry.tries = 0
		if i.due.After(latest) {
			i.due = latest
		}
	}
}

// Failed notes that a part was not sent, or that nobody knows. It goes again in a while; the other
// parts of the item wait with it, the other items don't.
func (s *Scheduler) Failed(now time.Time, p Part) {
	i, ok := s.out[p.Seq]
	if !ok || i.of != p.Of || i.flying == 0 {
		return
	}
	i.flying--
	wait := now.Add(retry << min(i.entry.tries, mostDoublings))
	if i.of == 1 {
		i.due = wait
		return
	}
	if i.left == 0 {
		s.begun = append(s.begun, i)
	}
	i.again(p.N)
	i.notBefore = wait
}

// Held notes which parts of an item the cloud holds.
func (s *Scheduler) Held(now time.Time, held event.PartsHeld) {
	i, ok := s.out[held.Seq]
	if !ok || !i.due.IsZero() {
		return
	}
	if i.of != held.Of {
		if i.left < i.of || held.Of == 0 || held.Of > maxParts {
			return // it is being sent in other parts
		}
		i.recut(held.Of)
	}
	if i.left == 0 {
		return
	}
	i.hold(held.Have)
	if i.left == 0 {
		s.pause(i)
		s.settle(now, i)
	}
}

// Overdue puts back what has had no receipt for too long, and says how many that are.
func (s *Scheduler) Overdue(now time.Time) int {
	n := 0
	for seq, i := range s.out {
		if i.due.IsZero() || now.Before(i.due) {
			continue
		}
		delete(s.out, seq)
		if s.box.Waits(seq) {
			e := i.entry
			e.tries = min(e.tries+1, 250)
			s.store.push(&s.lanes[e.lane], e)
			n++
		}
	}
	return n
}

// Sweep forgets items that don't wait any more: they were received, or given up.
func (s *Scheduler) Sweep() {
	for seq := range s.out {
		if !s.box.Waits(seq) {
			s.Forget(seq)
		}
	}
}

// Forget lets go of an item that was sent or has begun.
func (s *Scheduler) Forget(seq uint64) {
	if i, ok := s.out[seq]; ok {
		delete(s.out, seq)
		s.pause(i)
	}
}

// pause takes an item off those with parts to send.
func (s *Scheduler) pause(i *item) {
	if at := slices.Index(s.begun, i); at >= 0 {
		s.begun = slices.Delete(s.begun, at, at+1)
	}
}
