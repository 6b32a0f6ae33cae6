package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	lib "modernc.org/sqlite/lib"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// writer is the owner's connection, with what it says often prepared once.
type writer struct {
	conn                                          *sql.Conn
	item, payload, key, byKey                     *prepared
	dropItem, dropPayload, dropParts, putDrop     *prepared
	putCounts, putStream, putSegment, dropSegment *prepared
	putMark, dropMark                             *prepared
	putEpoch                                      *prepared
	open                                          []*prepared
}

// prepared is a statement on the owner's connection.
type prepared struct{ *sql.Stmt }

func (p *prepared) Exec(args ...any) (sql.Result, error) {
	return p.ExecContext(context.Background(), args...)
}

func (p *prepared) QueryRow(args ...any) *sql.Row {
	return p.QueryRowContext(context.Background(), args...)
}

func newWriter(db *sql.DB) (*writer, error) {
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn}
	for _, s := range []struct {
		into **prepared
		text string
	}{
		{&w.item, "INSERT INTO items VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
		{&w.payload, "INSERT INTO payloads VALUES (?,?)"},
		{&w.key, "INSERT INTO keys VALUES (?,?)"},
		{&w.byKey, "SELECT seq FROM keys WHERE key=?"},
		{&w.dropItem, "DELETE FROM items WHERE seq=?"},
		{&w.dropPayload, "DELETE FROM payloads WHERE seq=?"},
		{&w.dropParts, "DELETE FROM parts WHERE seq=?"},
		{&w.putDrop, "INSERT INTO ledger (seq, kind, stream, bytes, reason, at, mark) VALUES (?,?,?,?,?,?,?)"},
		{&w.putCounts, "UPDATE counts SET committed=?, received=?, dropped=?, waiting=?, bytes=?"},
		{&w.putStream, "INSERT INTO streams VALUES (?,?,?) ON CONFLICT (stream) DO UPDATE SET waiting=excluded.waiting, bytes=excluded.bytes"},
		{&w.putSegment, "INSERT INTO segments VALUES (?,?) ON CONFLICT (id) DO UPDATE SET waiting=excluded.waiting"},
		{&w.putMark, "INSERT INTO marks VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value=excluded.value"},
		{&w.dropMark, "DELETE FROM marks WHERE name=?"},
		{&w.dropSegment, "DELETE FROM segments WHERE id=?"},
		{&w.putEpoch, "UPDATE epochs SET waiting=waiting+? WHERE first=?"},
	} {
		stmt, err := conn.PrepareContext(context.Background(), s.text)
		if err != nil {
			w.close()
			return nil, fmt.Errorf("prepare %q: %w", s.text, err)
		}
		*s.into = &prepared{stmt}
		w.open = append(w.open, *s.into)
	}
	return w, nil
}

func (w *writer) exec(text string, args ...any) error {
	_, err := w.conn.ExecContext(context.Background(), text, args...)
	return err
}

func (w *writer) close() {
	for _, p := range w.open {
		p.Close()
	}
	w.conn.Close()
}

// count writes what the transaction changed of the counts.
func (s *step) count() error {
	p := s.p
	if _, err := s.putCounts.Exec(p.stats.Committed, p.stats.Received, p.stats.Dropped, p.stats.Waiting, p.stats.Bytes); err != nil {
		return fmt.Errorf("write the counts: %w", err)
	}
	for name, u := range p.streams {
		if _, err := s.putStream.Exec(name, u.waiting, u.bytes); err != nil {
			return fmt.Errorf("count stream %s: %w", name, err)
		}
	}
	for first, more := range p.epochs {
		if _, err := s.putEpoch.Exec(more, first); err != nil {
			return fmt.Errorf("count what waits of an epoch: %w", err)
		}
	}
	for id, more := range p.segments {
		var err error
		if n := s.o.segments.alive[id] + more; n > 0 {
			_, err = s.putSegment.Exec(id, n)
		} else {
			_, err = s.dropSegment.Exec(id)
		}
		if err != nil {
			return fmt.Errorf("count segment %d: %w", id, err)
		}
	}
	return nil
}

// countStream counts items of a stream that come to wait, or cease to.
func (s *step) countStream(stream string, items, bytes int64) {
	u := s.usage(stream)
	u.waiting += items
	u.bytes += bytes
	s.p.streams[stream] = u
	s.p.stats.Waiting = uint64(int64(s.p.stats.Waiting) + items)
	s.p.stats.Bytes += bytes
}

// apply brings what is in memory up to what is durable, and gives room back.
func (o *Outbox) apply(p pending) {
	for id, more := range p.segments {
		o.segments.alive[id] += more
	}
	o.segments.free(p.spans)
	o.segments.rest()
	o.behind = p.behind
	o.mu.Lock()
	defer o.mu.Unlock()
	p.stats.Full = o.stats.Full
	o.stats = p.stats
	o.applyEpochs(p)
	for name, u := range p.streams {
		o.streams[name] = u
	}
	for seq := range p.gone {
		delete(o.parts, seq)
	}
	for seq, h := range p.parts {
		o.parts[seq] = h
	}
	for _, r := range p.added {
		if !p.gone[r.Seq] {
			o.fresh = append(o.fresh, r)
		}
	}
	if len(o.fresh) > 0 {
		o.signalFresh()
	}
	if len(p.gone) > 0 {
		close(o.freed)
		o.freed = make(chan struct{})
	}
}

func (o *Outbox) note(change func(*Stats)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.stats)
}

func isFull(err error) bool { return err != nil && (code(err) == lib.SQLITE_FULL || isENOSPC(err)) }

// noteIfCorrupt remembers that the database is corrupt, so that the next start checks every page.
func (o *Outbox) noteIfCorrupt(err error) {
	if c := code(err); !errors.Is(err, errCorrupt) && c != lib.SQLITE_CORRUPT && c != lib.SQLITE_NOTADB {
		return
	}
	if o.probe() != nil {
		return // a disk that is gone gives pages of zeros: that says nothing of the database
	}
	o.markCorrupt(err, suspectPages)
}

// noteCorruptRow remembers that a row is not as it was written, though its page can be read: the next start
// salvages, which checks rows by their checksums.
func (o *Outbox) noteCorruptRow(i event.Item) {
	o.markCorrupt(fmt.Errorf("item %d of epoch %s is not as it was committed", i.Seq, i.Epoch), suspectRows)
}

func (o *Outbox) markCorrupt(err error, suspect string) {
	o.markedCorrupt.Do(func() {
		o.log.Error("the outbox's database is corrupt; the next start salvages what can be read", "folder", o.dir, telemetry.Err, err)
		markSuspect(o.dir, suspect)
		close(o.corrupt)
	})
}
