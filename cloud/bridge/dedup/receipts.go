package dedup

import (
	"slices"
	"time"

	"cloudcanvas/shared/event"
)

// Due is a receipt that is due now.
type Due struct {
	epoch   *epochState
	Edge    string
	Receipt event.Receipt
}

// receiptRetry is the least time after a receipt that failed, the MQTT broker being away as a rule.
const receiptRetry = time.Second

// Due gives the receipts that are due, and when to ask again for those that are not yet.
func (l *State) Due(every time.Duration) (now []Due, again time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now()
	again = time.Hour
	for a := range l.due {
		if a.sending || a.unsaved {
			continue // Sent or Saved signals then
		}
		gap := every
		if a.unsettled {
			gap = max(every, receiptRetry)
		}
		if wait := a.receipt.Add(gap).Sub(at); wait > 0 {
			again = min(again, wait)
			continue
		}
		delete(l.due, a)
		a.receipt, a.sending = at, true
		now = append(now, Due{a, a.edge, a.compose(at)})
	}
	return now, again
}

// compose makes the receipt as things stand.
func (a *epochState) compose(now time.Time) event.Receipt {
	r := event.Receipt{Epoch: a.epoch, Through: a.through, Above: a.ranges(event.MaxRanges), Parts: a.held.Receipt(), Twin: a.of.twin.of(a.epoch, now)}
	if a.last.Seq > 0 {
		r.Last = &event.Known{Seq: a.last.Seq, ID: a.last.ID}
	}
	if now.Sub(a.conflict) < conflictsNamed {
		r.Conflicts = slices.Clone(a.conflicts)
	}
	return r
}

// Wake signals that a receipt is due.
func (l *State) Wake() <-chan struct{} { return l.wake }

// Sent records whether a receipt reached the MQTT broker. One that did not is due again.
func (l *State) Sent(o Due, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := o.epoch
	a.sending, a.unsettled = false, !ok
	if _, due := l.due[a]; due || !ok {
		l.owe(a)
	}
}
