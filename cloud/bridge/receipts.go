package bridge

import (
	"context"
	"slices"
	"sync"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// Receipts tell an edge what Kafka has. The first after a quiet time goes at once; under load one
// goes in each ReceiptEvery and says it all.
const (
	tellers         = 16               // receipts under way at a time
	receiptPatience = 10 * time.Second // for one to be acknowledged by the MQTT broker
	receiptRetry    = time.Second      // after one that failed, the broker being away as a rule
	deafPause       = 20 * time.Millisecond
)

// owed is a receipt that is due now.
type owed struct {
	account *account
	edge    string
	receipt event.Receipt
}

// take gives the receipts that are due, and when to ask again for those that are not yet.
func (l *ledger) take(every time.Duration) (now []owed, again time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now()
	again = time.Hour
	for a := range l.due {
		if a.sending || a.unsaved {
			continue // told, or the checkpoint, wakes us
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
		now = append(now, owed{a, a.edge, a.says(at)})
	}
	return now, again
}

// says is the receipt as things stand.
func (a *account) says(now time.Time) event.Receipt {
	r := event.Receipt{Epoch: a.epoch, Through: a.through, Above: a.ranges(event.MaxRanges), Parts: a.held.Receipt(), Twin: a.of.twin.of(a.epoch, now)}
	if a.last.seq > 0 {
		r.Last = &event.Known{Seq: a.last.seq, ID: a.last.id}
	}
	if now.Sub(a.conflict) < conflictsTold {
		r.Conflicts = slices.Clone(a.conflicts)
	}
	return r
}

// told records whether a receipt reached the MQTT broker. One that did not is due again.
func (l *ledger) told(a *account, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.sending, a.unsettled = false, !ok
	if _, due := l.due[a]; due || !ok {
		l.owe(a)
	}
}

// tell publishes receipts until ctx ends. A receipt tells the edge also that the bridge listens, so none
// goes out while it does not: what the edge would send at that might be given to nobody.
func (s *shift) tell(ctx context.Context) {
	slots := make(chan struct{}, tellers)
	var all sync.WaitGroup
	defer all.Wait()
	for {
		if intake, watched := s.Intake.(Watched); watched && !intake.Hears() {
			select {
			case <-time.After(deafPause):
				continue
			case <-ctx.Done():
				return
			}
		}
		now, again := s.book.take(s.cfg.ReceiptEvery)
		for _, o := range now {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			all.Go(func() {
				defer func() { <-slots }()
				s.book.told(o.account, s.send(ctx, o))
			})
		}
		timer := time.NewTimer(again)
		select {
		case <-s.book.wake:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// send publishes one receipt. The client says when it is offline, so that is not logged here.
func (s *shift) send(ctx context.Context, o owed) bool {
	if s.told.isBlocked(o.edge) {
		return true // it keeps its items until it is let in again
	}
	item, err := o.receipt.Item(o.edge, time.Now())
	if err != nil {
		s.Logger.Error("a receipt can't be written", "edge", o.edge, telemetry.Err, err)
		return true // trying again would not help
	}
	payload, err := item.MarshalMQTT()
	if err != nil {
		s.Logger.Error("a receipt can't be written", "edge", o.edge, telemetry.Err, err)
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, receiptPatience)
	defer cancel()
	if err := s.Teller.Publish(ctx, event.ReceiptsTopic(o.edge), 1, false, payload); err != nil {
		s.metrics.receipts.WithLabelValues("failed").Inc()
		return false
	}
	s.metrics.receipts.WithLabelValues("sent").Inc()
	return true
}
