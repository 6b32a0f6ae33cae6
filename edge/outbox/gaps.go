package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/event"
)

// A gap are numbers of an epoch of which the buffer does not know what became of them: its database was
// damaged, or is behind its witness file. The cloud knows: what its receipt does not cover, and what
// neither waits nor is in the ledger of drops, is lost. That is reported as drops are, so that nobody
// waits for these numbers.

// gap is that of one epoch, in the epoch's own numbers.
type gap struct {
	low, high uint64
	owed      int64 // how many of them were counted as dropped in advance
}

// gapReceipt is a receipt for an epoch with a gap, and when the first of this start came.
type gapReceipt struct {
	first   time.Time
	receipt event.Receipt
}

// gapReceiptWait is how long receipts of an epoch with a gap are awaited before it is resolved: what was on
// its way when the agent ended, and receipts that waited at the broker, come before.
const gapReceiptWait = 10 * time.Second

// unresolved says whether an epoch has a gap, or losses that are not reported. The caller holds mu, or is the owner.
func (o *Outbox) unresolved(epoch event.Epoch) bool {
	_, gap := o.gaps[epoch]
	return gap || o.losses[epoch] > 0
}

func (o *Outbox) loadGaps() error {
	rows, err := o.db.Query("SELECT epoch, low, high, owed FROM gaps")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var epoch event.Epoch
		var g gap
		if err := rows.Scan(&epoch, &g.low, &g.high, &g.owed); err != nil {
			return err
		}
		o.gaps[epoch] = g
	}
	if err := rows.Err(); err != nil {
		return err
	}
	untold, err := o.db.Query("SELECT epoch, count(*) FROM losses WHERE reported=0 GROUP BY epoch")
	if err != nil {
		return err
	}
	defer untold.Close()
	for untold.Next() {
		var epoch event.Epoch
		var n int
		if err := untold.Scan(&epoch, &n); err != nil {
			return err
		}
		o.losses[epoch] = n
	}
	return untold.Err()
}

// noteGapReceipt keeps a receipt that may say what became of a gap. A bridge that names the last item of an
// epoch answers a status with a receipt for each epoch that the status names, as far as it knows it:
// of one that it does not answer for it has nothing.
func (o *Outbox) noteGapReceipt(r event.Receipt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Last != nil && r.Epoch == o.terms[len(o.terms)-1].epoch && o.firstAnswer.IsZero() {
		o.firstAnswer = o.now()
	}
	if _, ok := o.gaps[r.Epoch]; !ok || len(r.Above) >= event.MaxRanges {
		return // such a receipt may have left out some
	}
	h, ok := o.gapReceipts[r.Epoch]
	if !ok {
		h.first = o.now()
	}
	h.receipt = r
	o.gapReceipts[r.Epoch] = h
}

// resolveGaps finds out what of the gaps is lost, as far as the cloud has answered.
func (o *Outbox) resolveGaps(ctx context.Context) error {
	o.mu.Lock()
	var ready []event.Receipt
	for _, h := range o.gapReceipts {
		if o.now().Sub(h.first) >= gapReceiptWait {
			ready = append(ready, h.receipt)
		}
	}
	silent := !o.firstAnswer.IsZero() && o.now().Sub(o.firstAnswer) >= gapReceiptWait
	o.mu.Unlock()
	if silent {
		for _, e := range o.Epochs() {
			if _, gap := o.gapOf(e.Epoch); gap && !o.hasGapReceipt(e.Epoch) {
				ready = append(ready, event.Receipt{Epoch: e.Epoch})
			}
		}
	}
	for _, r := range ready {
		lost, err := o.resolveGap(ctx, r)
		if err != nil {
			return fmt.Errorf("find out what is lost of epoch %s: %w", r.Epoch, err)
		}
		o.mu.Lock()
		delete(o.gapReceipts, r.Epoch)
		delete(o.gaps, r.Epoch)
		o.losses[r.Epoch] += len(lost)
		o.mu.Unlock()
		if n := count(lost); n > 0 {
			o.raiseTrouble(event.Trouble{Kind: Lost, Epoch: r.Epoch, From: lost[0].From, To: lost[len(lost)-1].To, Items: n,
				Text: fmt.Sprintf("%d items of epoch %s, with numbers from %d to %d, are neither here nor in the cloud: they were lost when the buffer's database was damaged", n, r.Epoch, lost[0].From, lost[len(lost)-1].To)})
		}
	}
	return nil
}

func (o *Outbox) gapOf(epoch event.Epoch) (gap, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g, ok := o.gaps[epoch]
	return g, ok
}

func (o *Outbox) hasGapReceipt(epoch event.Epoch) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.gapReceipts[epoch]
	return ok
}

// mostLost bounds how many numbers of one gap are reported one by one.
const mostLost = 1 << 20

func (o *Outbox) resolveGap(ctx context.Context, r event.Receipt) (lost []event.Range, err error) {
	err = o.change(ctx, func(s *step) error {
		lost = nil
		g, ok := o.gaps[r.Epoch]
		n := s.terms().find(r.Epoch)
		if !ok || n < 0 {
			return nil
		}
		first := s.terms()[n].first
		inside := s.terms().last(n, s.p.stats.Committed) - (first - 1)
		covered := append([]event.Range{{From: 0, To: r.Through}}, r.Above...)
		known, err := s.known(first, event.Range{From: g.low, To: min(g.high, inside)})
		if err != nil {
			return err
		}
		lost = without(without([]event.Range{{From: g.low, To: g.high}}, covered), known)
		if count(lost) > mostLost {
			lost = nil // nobody has that many items: what is noted of this epoch can't be true
		}
		for _, l := range lost {
			if err := s.exec("INSERT OR REPLACE INTO losses VALUES (?,?,?,?,0)", string(r.Epoch), l.From, l.To, o.now().UnixNano()); err != nil {
				return err
			}
		}
		if err := s.exec("UPDATE ledger SET reported=0 WHERE seq BETWEEN ? AND ?", first-1+g.low, first-1+min(g.high, inside)); err != nil {
			return err // a report of them may be among what is lost
		}
		counted := int64(count(without(lost, []event.Range{{From: inside + 1, To: 1<<63 - 1}})))
		more := min(counted-g.owed, int64(s.p.stats.Received))
		s.p.stats.Dropped = uint64(int64(s.p.stats.Dropped) + more)
		s.p.stats.Received = uint64(int64(s.p.stats.Received) - more)
		return s.exec("DELETE FROM gaps WHERE epoch=?", string(r.Epoch))
	})
	return lost, err
}

// known are the numbers of an epoch's range that wait or are in the ledger.
func (s *step) known(first uint64, within event.Range) (known []event.Range, err error) {
	if within.From > within.To {
		return nil, nil
	}
	rows, err := s.conn.QueryContext(context.Background(), "SELECT seq FROM items WHERE seq BETWEEN ?1 AND ?2 UNION SELECT seq FROM ledger WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
		first-1+within.From, first-1+within.To)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var seq uint64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		seq -= first - 1
		if n := len(known); n > 0 && known[n-1].To+1 == seq {
			known[n-1].To = seq
		} else {
			known = append(known, event.Range{From: seq, To: seq})
		}
	}
	return known, rows.Err()
}

// without is what of ascending, disjoint ranges is in none of others, which are so too.
func without(ranges, others []event.Range) (rest []event.Range) {
	for _, r := range ranges {
		at := slices.IndexFunc(others, func(o event.Range) bool { return o.To >= r.From })
		for ; at >= 0 && at < len(others) && others[at].From <= r.To && r.From <= r.To; at++ {
			if others[at].From > r.From {
				rest = append(rest, event.Range{From: r.From, To: others[at].From - 1})
			}
			r.From = others[at].To + 1
		}
		if r.From <= r.To {
			rest = append(rest, r)
		}
	}
	return rest
}

func count(ranges []event.Range) (n uint64) {
	for _, r := range ranges {
		n += r.To - r.From + 1
	}
	return n
}
