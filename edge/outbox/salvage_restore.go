package outbox

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// restoreAll puts rows back, each alone where one of them does not let itself be put back: a damaged
// index may give a row twice. A disk without room ends it; the next start begins the salvage anew.
func (o *Outbox) restoreAll(rows []stored, links string) (put []stored, err error) {
	restore := func(rows []stored) error {
		return o.change(bg, func(s *step) error {
			for _, i := range rows {
				if err := s.restore(i, links); err != nil {
					return fmt.Errorf("put item %d back: %w", i.own, err)
				}
			}
			return nil
		})
	}
	if err = restore(rows); err == nil {
		return rows, nil
	}
	for n := range rows {
		switch err := restore(rows[n : n+1]); {
		case err == nil:
			put = append(put, rows[n])
		case isFull(err) || isDisk(err):
			return put, err
		default:
			o.log.Error("an item of the corrupt outbox was read and could not be put back", telemetry.Err, err)
		}
	}
	return put, nil
}

// restore puts a row back as it was. Larger payloads stay where they are.
func (s *step) restore(i stored, links string) error {
	item := i.Item
	item.Epoch, item.Seq = s.terms().place(i.own)
	if i.Priority > event.Low {
		i.Priority = event.Normal
	}
	d := i.draft()
	committed := time.Unix(0, i.committed)
	if i.at.segment == 0 {
		s.p.stats.Received--
		return s.write(i.own, item, d, committed)
	}
	name := filepath.Base(s.o.segments.path(i.at.segment))
	if err := os.Link(filepath.Join(links, name), s.o.segments.path(i.at.segment)); err != nil && !os.IsExist(err) {
		return fmt.Errorf("keep segment %d: %w", i.at.segment, err)
	}
	s.p.stats.Received--
	s.p.segments[i.at.segment]++
	return s.insertRow(i.own, item, d, committed, i.at)
}

func (i stored) draft() Draft {
	d := Draft{Kind: i.Kind, Stream: i.Stream, Subject: i.Subject, Time: i.Time, Priority: i.Priority, Rung: i.rung, Value: i.value,
		Attrs: i.Attrs, Type: i.Type, Data: i.Data}
	if i.expires > 0 {
		d.Expires = time.Unix(0, i.expires)
	}
	return d
}

// settleCounts makes the counts right, and asks the cloud for what is not accounted for: how many of
// each epoch were put back is known.
func (o *Outbox) settleCounts(w *damagedBuffer, kept map[event.Epoch]int64, n uint64) error {
	var ledger uint64
	if err := o.db.QueryRow("SELECT count(*) FROM ledger").Scan(&ledger); err != nil {
		return err
	}
	dropped, owed := max(ledger, w.witness.Dropped), int64(0)
	if w.counted {
		dropped, owed = w.counts.Dropped, int64(w.counts.Waiting)-int64(n)
	} else if w.witness.Waiting > n {
		owed = int64(w.witness.Waiting - n)
	}
	owed = max(owed, 0)
	return o.change(bg, func(s *step) error {
		c := &s.p.stats
		c.Dropped = min(dropped+uint64(owed), c.Committed-c.Waiting)
		c.Received = c.Committed - c.Waiting - c.Dropped
		if owed == 0 && w.counted {
			return nil
		}
		gaps := wholeGaps(w.terms, w.base().committed, owed)
		if byEpoch := w.owedByEpoch(kept); byEpoch != nil {
			for epoch, g := range gaps {
				g.owed = byEpoch[epoch]
				gaps[epoch] = g
			}
		}
		for epoch, g := range gaps {
			if err := s.exec("INSERT OR REPLACE INTO gaps VALUES (?,?,?,?)", string(epoch), g.low, g.high, g.owed); err != nil {
				return err
			}
			o.mu.Lock()
			o.gaps[epoch] = g
			o.mu.Unlock()
		}
		return nil
	})
}

// owedByEpoch is what of each epoch waited and was not put back; nil where that is not known.
func (w *damagedBuffer) owedByEpoch(kept map[event.Epoch]int64) map[event.Epoch]int64 {
	owed, sum := map[event.Epoch]int64{}, int64(0)
	for _, t := range w.terms {
		sum += t.waiting
		if owed[t.epoch] = t.waiting - kept[t.epoch]; t.waiting < kept[t.epoch] {
			return nil
		}
	}
	if !w.counted || sum != int64(w.counts.Waiting) {
		return nil
	}
	return owed
}

// restoreDropsAndKeys takes over the ledger, as far as its entries are as they were written, the keys, and the
// marks. It goes as far as it comes: an entry that is missing is found as a gap, without its key a source
// is read again, and without its mark a message that comes again counts twice.
func (o *Outbox) restoreDropsAndKeys(w *damagedBuffer) error {
	var batch []func(*step) error
	put := func() error {
		do := batch
		batch = nil
		err := o.change(bg, func(s *step) error {
			for _, one := range do {
				if err := one(s); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !isFull(err) && !isDisk(err) {
			o.log.Warn("some drops and keys of the corrupt outbox could not be taken over", telemetry.Err, err)
			return nil
		}
		return err
	}
	add := func(one func(*step) error) error {
		if batch = append(batch, one); len(batch) < deletesAtOnce {
			return nil
		}
		return put()
	}
	for row := range w.drops() {
		err := add(func(s *step) error {
			epoch, seq := s.terms().place(row.own)
			if row.own > s.p.stats.Committed || row.checksum != dropChecksum(row.own, epoch, seq, row.reason) {
				return nil
			}
			// reported anew: an earlier report of it may be lost
			return s.exec("INSERT OR IGNORE INTO ledger (seq, kind, stream, bytes, reason, at, reported, mark) VALUES (?,?,?,?,?,?,0,?)",
				row.own, row.kind, row.stream, row.bytes, row.reason, row.at, row.checksum)
		})
		if err != nil {
			return err
		}
	}
	for key, seq := range w.keys() {
		err := add(func(s *step) error {
			if seq == 0 || seq > s.p.stats.Committed {
				return nil
			}
			return s.exec("INSERT OR IGNORE INTO keys VALUES (?,?)", key, seq)
		})
		if err != nil {
			return err
		}
	}
	for m := range w.marks() {
		if err := add(func(s *step) error { return s.note([]Mark{m}) }); err != nil {
			return err
		}
	}
	return put()
}

// restartBacklog lets Fresh read from the index what it has not given yet, which is thus not held in
// memory. Only before the outbox is in use.
func (o *Outbox) restartBacklog() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fresh = nil
	o.backlog = &backlog{through: o.stats.Committed}
}
