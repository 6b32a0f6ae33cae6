package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"cloudcanvas/shared/event"
)

// heldParts are the parts of a large item that rest in the cloud.
type heldParts struct {
	of   uint32
	have []event.Range
}

// Receive frees what the receipt says that Kafka has, and nothing else; and keeps what it says of
// large items' parts. A receipt of another buffer's epoch frees nothing; nor does one that can't be
// true of this buffer: then what waits in its epoch is sent again in another. The count of what was
// received moves in the same transaction. What it costs follows what it frees.
//
// While the disk takes no writes receipts are kept in memory, and taken in later.
func (o *Outbox) Receive(ctx context.Context, r event.Receipt) (freed int, err error) {
	o.receiving.Lock()
	defer o.receiving.Unlock()
	t, ok := o.termOf(r.Epoch)
	if !ok {
		o.foreign.Add(1)
		return 0, nil
	}
	if r.Twin != "" && !o.Knows(r.Twin) {
		o.twin(r)
	}
	if why := o.contradicts(t, r); why != "" {
		o.refused.Add(1)
		return 0, o.refuse(ctx, t, r, why)
	}
	if r.Highest() > t.through {
		o.older(t, r)
	}
	o.noteGapReceipt(r)
	ranges := t.own(append([]event.Range{{From: 1, To: r.Through}}, r.Above...), o.freedAbove[r.Epoch])
	if freed, err = o.free(ctx, ranges); err == nil {
		err = o.holdParts(ctx, t, r.Parts)
	}
	if isDisk(err) {
		o.deferReceipt(r, t)
		return freed, nil
	}
	if err == nil {
		o.freedAbove[r.Epoch] = slices.Clone(r.Above)
		o.dropDeferred(r.Epoch)
	}
	return freed, err
}

// bounds are a term with the numbers that are committed in it.
type bounds struct {
	term
	through uint64 // the last number that was committed in it
	current bool
}

func (o *Outbox) termOf(epoch event.Epoch) (bounds, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.terms.find(epoch)
	if n < 0 {
		return bounds{}, false
	}
	t := o.terms[n]
	return bounds{t, o.terms.last(n, o.stats.Committed) - (t.first - 1), n == len(o.terms)-1}, true
}

// own are ranges of an epoch's numbers as the buffer's own, as far as there are such; those that the
// last receipt named already are left out.
func (b bounds) own(ranges, known []event.Range) (own []event.Range) {
	for _, r := range ranges {
		if slices.ContainsFunc(known, func(k event.Range) bool { return k.From <= r.From && r.To <= k.To }) {
			continue
		}
		if to := min(r.To, b.through); r.From <= to {
			own = append(own, event.Range{From: b.first - 1 + r.From, To: b.first - 1 + to})
		}
	}
	return own
}

func (o *Outbox) free(ctx context.Context, ranges []event.Range) (freed int, err error) {
	for len(ranges) > 0 {
		n, done := 0, 0
		err := o.change(ctx, func(s *step) error {
			n, done = 0, 0
			for _, named := range ranges {
				there, err := s.rows("WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?", named.From, named.To, deletesAtOnce-n)
				if err != nil {
					return err
				}
				for _, r := range there {
					if err := s.remove(r, ""); err != nil {
						return err
					}
				}
				if n += len(there); n == deletesAtOnce {
					return nil // the rest of this range is for the next transaction
				}
				done++
			}
			return nil
		})
		if err != nil {
			return freed, fmt.Errorf("free what the cloud has: %w", err)
		}
		freed += n
		ranges = ranges[done:]
	}
	return freed, nil
}

// holdParts keeps what has changed of the parts that the cloud holds.
func (o *Outbox) holdParts(ctx context.Context, t bounds, held []event.PartsHeld) error {
	var changed []event.PartsHeld // with the buffer's own numbers
	o.mu.Lock()
	for _, p := range held {
		if p.Seq == 0 || p.Seq > t.through {
			continue
		}
		p.Seq += t.first - 1
		if k, ok := o.parts[p.Seq]; !ok || k.of != p.Of || !slices.Equal(k.have, p.Have) {
			changed = append(changed, p)
		}
	}
	o.mu.Unlock()
	if len(changed) == 0 {
		return nil
	}
	err := o.change(ctx, func(s *step) error {
		for _, p := range changed {
			waits, err := s.rows("WHERE seq=?", p.Seq)
			if err != nil {
				return err
			}
			if len(waits) == 0 {
				continue
			}
			have, err := json.Marshal(p.Have)
			if err != nil {
				return err
			}
			if err := s.exec("INSERT OR REPLACE INTO parts VALUES (?,?,?)", p.Seq, p.Of, string(have)); err != nil {
				return err
			}
			s.p.parts[p.Seq] = heldParts{p.Of, p.Have}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep which parts the cloud holds: %w", err)
	}
	return nil
}

// Parts are those of a large item that rest in the cloud, by the last receipt that spoke of them:
// numbers from 0, of so many that it was cut into. None of them need be sent again.
func (o *Outbox) Parts(seq uint64) (of uint32, have []event.Range) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.parts[seq]
	return h.of, h.have
}

func (o *Outbox) loadParts() error {
	rows, err := o.db.Query("SELECT seq, cut, have FROM parts")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var seq uint64
		var h heldParts
		var have []byte
		if err := rows.Scan(&seq, &h.of, &have); err != nil {
			return err
		}
		if json.Unmarshal(have, &h.have) == nil {
			o.parts[seq] = h
		}
	}
	return rows.Err()
}
