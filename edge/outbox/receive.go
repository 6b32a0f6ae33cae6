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
// large items' parts. A receipt of another epoch frees nothing. The count of what was received moves
// in the same transaction. What it costs follows what it frees. One caller only.
func (o *Outbox) Receive(ctx context.Context, r event.Receipt) (freed int, err error) {
	if r.Epoch != o.epoch {
		return 0, nil
	}
	ranges := append([]event.Range{{From: 0, To: r.Through}}, r.Above...)
	ranges = slices.DeleteFunc(ranges, o.known)
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
					if err := s.leave(r, ""); err != nil {
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
	o.freedThrough = slices.Clone(r.Above)
	return freed, o.holdParts(ctx, r.Parts)
}

// known says that the last receipt named the whole range already.
func (o *Outbox) known(r event.Range) bool {
	return slices.ContainsFunc(o.freedThrough, func(k event.Range) bool { return k.From <= r.From && r.To <= k.To })
}

// holdParts keeps what has changed of the parts that the cloud holds.
func (o *Outbox) holdParts(ctx context.Context, told []event.PartsHeld) error {
	o.mu.Lock()
	told = slices.DeleteFunc(slices.Clone(told), func(p event.PartsHeld) bool {
		k, ok := o.parts[p.Seq]
		return ok && k.of == p.Of && slices.Equal(k.have, p.Have)
	})
	o.mu.Unlock()
	if len(told) == 0 {
		return nil
	}
	err := o.change(ctx, func(s *step) error {
		for _, p := range told {
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
