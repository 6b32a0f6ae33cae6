package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// contradicts is why a receipt can't be true of this buffer; "" where it can.
func (o *Outbox) contradicts(t bounds, r event.Receipt) string {
	if highest := r.Highest(); t.current && highest > t.through {
		return fmt.Sprintf("the cloud has number %d, and %d was the last", highest, t.through)
	}
	named := r.Conflicts
	if r.Last != nil {
		named = append(named[:len(named):len(named)], *r.Last)
	}
	for _, k := range named {
		var id []byte
		if k.Seq == 0 || k.Seq > t.through || o.db.QueryRow("SELECT id FROM items WHERE seq=?", t.first-1+k.Seq).Scan(&id) != nil {
			continue // it does not wait here: nothing is freed by it
		}
		if len(id) == len(ulid.ULID{}) && ulid.ULID(id) != k.ID {
			return fmt.Sprintf("the cloud's item %d is %s, and this buffer's %s", k.Seq, k.ID, ulid.ULID(id))
		}
	}
	return ""
}

// refuse sends what waits in an epoch again in another one: another agent has used its numbers.
func (o *Outbox) refuse(ctx context.Context, t bounds, r event.Receipt, why string) error {
	n, err := o.sendAgain(ctx, t.epoch)
	if err != nil {
		return fmt.Errorf("send again what waits in epoch %s, whose numbers the cloud has for others: %w", t.epoch, err)
	}
	if n == 0 && !t.current {
		return nil // reported before, or there was nothing to lose
	}
	o.raiseTrouble(event.Trouble{Kind: Conflict, Epoch: t.epoch, From: 1, To: max(t.through, r.Highest()), Items: uint64(n),
		Text: fmt.Sprintf("a receipt for epoch %s was not believed (%s): %d items that wait in it are sent again in epoch %s. "+
			"Another agent uses this device's name and numbers, or the receipt was forged: look for a second device with a copy of this one's disk", t.epoch, why, n, o.Epoch())})
	return nil
}

// movesAtOnce bounds what one transaction moves.
const movesAtOnce = 200

// ReasonMoved says that an item was given another epoch and number, under which it is sent.
const ReasonMoved = "moved"

// sendAgain gives what waits in an epoch numbers of the current one, and first begins another where
// it is the current one itself. The items keep their ids.
func (o *Outbox) sendAgain(ctx context.Context, epoch event.Epoch) (n int, err error) {
	for {
		moved := 0
		err := o.change(ctx, func(s *step) error {
			moved = 0
			at := s.terms().find(epoch)
			if at < 0 {
				return nil
			}
			first, last := s.terms()[at].first, s.terms().last(at, s.p.stats.Committed)
			if at == len(s.terms())-1 {
				s.beginEpoch()
			}
			found, err := s.whole("WHERE i.seq BETWEEN ? AND ? ORDER BY i.seq LIMIT ?", first, last, movesAtOnce)
			if err != nil {
				return err
			}
			for _, i := range found {
				if err := s.move(i); err != nil {
					return fmt.Errorf("give item %d another number: %w", i.own, err)
				}
			}
			moved = len(found)
			return nil
		})
		if err != nil {
			return n, err
		}
		if n += moved; moved < movesAtOnce {
			return n, nil
		}
	}
}

// whole are rows that wait, with all but the data that is not in the database.
func (s *step) whole(where string, args ...any) (all []stored, err error) {
	rows, err := s.conn.QueryContext(context.Background(), itemColumns+where, args...)
	if err != nil {
		return nil, fmt.Errorf("query the outbox: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		i, err := scanItem(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, rows.Err()
}

// move gives an item the next number of the current epoch. A report of drops is not moved, for it
// speaks of its own epoch's numbers: what it reported is reported anew.
func (s *step) move(i stored) error {
	if i.Kind == event.Ack {
		return s.reportAgain(i)
	}
	t, err := s.current()
	if err != nil {
		return err
	}
	s.p.stats.Committed++
	own := s.p.stats.Committed
	item := i.Item
	item.Epoch, item.Seq = t.epoch, own-(t.first-1)
	identity := identityOf(own, item, i.attrs)
	identity.bytes = i.at.bytes
	epoch, seq := s.terms().place(i.own)
	for _, do := range []struct {
		text string
		args []any
	}{
		{"UPDATE items SET seq=?, mark=? WHERE seq=?", []any{own, identity.checksum(), i.own}},
		{"UPDATE payloads SET seq=? WHERE seq=?", []any{own, i.own}},
		{"UPDATE keys SET seq=? WHERE seq=?", []any{own, i.own}},
		{"DELETE FROM parts WHERE seq=?", []any{i.own}},
		{"INSERT INTO ledger (seq, kind, stream, bytes, reason, at, mark) VALUES (?,?,?,?,?,?,?)",
			[]any{i.own, string(i.Kind), i.Stream, i.at.bytes, ReasonMoved, s.o.now().UnixNano(), dropChecksum(i.own, epoch, seq, ReasonMoved)}},
	} {
		if err := s.exec(do.text, do.args...); err != nil {
			return err
		}
	}
	s.p.stats.Dropped++
	s.p.gone[i.own] = true
	delete(s.p.parts, i.own)
	s.countEpoch(i.own, -1)
	s.countEpoch(own, 1)
	s.p.added = append(s.p.added, event.Ref{Seq: own, Priority: i.Priority, Kind: i.Kind, Stream: i.Stream, Rung: i.rung, Value: i.value, Bytes: int(i.at.bytes), Time: time.Unix(0, i.committed)})
	return nil
}

// reportAgain lets the drops of a report be reported again, and the report go.
func (s *step) reportAgain(i stored) error {
	data := i.Data
	if i.at.segment != 0 {
		data, _ = s.o.segments.read(i.at)
	}
	var report event.DropReport
	if json.Unmarshal(data, &report) == nil {
		own, _ := s.terms().place(i.own)
		for epoch, d := range report.Each(own) {
			n := s.terms().find(epoch)
			if n < 0 {
				continue
			}
			if seq, ok := s.terms().number(n, d.Seq, s.p.stats.Committed); ok {
				if err := s.exec("UPDATE ledger SET reported=0 WHERE seq=?", seq); err != nil {
					return err
				}
			}
		}
	}
	return s.remove(row{seq: i.own, kind: i.Kind, stream: i.Stream, at: i.at}, ReasonMoved)
}

// older raises a trouble: the cloud has more of an epoch than this buffer knows of.
func (o *Outbox) older(t bounds, r event.Receipt) {
	if o.hasTrouble(Conflict, t.epoch) {
		return // its numbers were another's
	}
	from, to := t.through+1, r.Highest()
	n := r.CountAbove(t.through)
	o.raiseTrouble(event.Trouble{Kind: Older, Epoch: t.epoch, From: from, To: to, Items: n,
		Text: fmt.Sprintf("the cloud has numbers %d to %d of epoch %s which this buffer does not know: its folder was restored from an older copy, or lost its last writes. "+
			"%d items of it are in the cloud; what was committed beyond them and had not been sent is lost", from, to, t.epoch, n)})
}

// twin raises a trouble: there is another agent with this one's name.
func (o *Outbox) twin(r event.Receipt) {
	o.raiseTrouble(event.Trouble{Kind: Twin, Epoch: r.Twin, Text: fmt.Sprintf("another agent speaks under this device's name at the same time: its epoch is %s, this one's is %s. "+
		"Nothing is lost, for each has numbers of its own; but both take turns at the broker. Give one of the two devices another name (edge: in its configuration) and an empty data folder", r.Twin, o.Epoch())})
}
