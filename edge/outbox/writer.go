package outbox

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// maxBatch bounds one transaction. There is no timer: while one transaction reaches the disk, the
// next one gathers.
const (
	maxBatch      = 200
	maxBatchBytes = 16 << 20
)

// request is one thing the owner is asked for: a draft, a change, or to stop.
type request struct {
	draft  Draft
	drop   bool // make room by dropping
	change func(*sql.Tx) error
	stop   bool
	answer chan Answer
}

// own is the goroutine that writes.
func (o *Outbox) own() {
	defer close(o.done)
	for first := range o.ask {
		batch, stop := o.gather(first)
		o.write(batch)
		if stop != nil {
			stop.answer <- Answer{}
			return
		}
	}
}

func (o *Outbox) gather(first request) (batch []request, stop *request) {
	r, bytes := first, 0
	for {
		if r.stop {
			return batch, &r
		}
		batch = append(batch, r)
		if bytes += len(r.draft.Data); len(batch) == maxBatch || bytes >= maxBatchBytes {
			return batch, nil
		}
		select {
		case r = <-o.ask:
		default:
			return batch, nil
		}
	}
}

// write commits a batch in one transaction. Where that fails, each request is tried alone, so that
// one bad draft does not take its neighbours along, and a full disk takes what still fits.
func (o *Outbox) write(batch []request) {
	answers := make([]Answer, len(batch))
	if err := o.transact(batch, answers); err != nil && len(batch) > 1 {
		for i := range batch {
			if err := o.transact(batch[i:i+1], answers[i:i+1]); err != nil {
				answers[i] = Answer{Err: err}
			}
		}
	} else if err != nil {
		answers[0] = Answer{Err: err}
	}
	for i, r := range batch {
		r.answer <- answers[i]
	}
}

// pending is what a transaction will change in memory once it is durable.
type pending struct {
	committed uint64
	added     []event.Ref
	dropped   []event.Ref
	received  []uint64
}

func (o *Outbox) transact(batch []request, answers []Answer) error {
	tx, err := o.db.Begin()
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	defer tx.Rollback()
	p := pending{committed: o.stats.Committed}
	for i, r := range batch {
		if r.change != nil {
			if err := r.change(tx); err != nil {
				return err
			}
			continue
		}
		if r.drop {
			if err := o.makeRoom(tx, &p, len(r.draft.Data)); err != nil {
				return err
			}
		}
		if answers[i].Item, err = o.insert(tx, &p, r.draft); err != nil {
			return err
		}
	}
	if p.committed != o.stats.Committed {
		if _, err := tx.Exec("UPDATE meta SET value=? WHERE name='committed'", p.committed); err != nil {
			return fmt.Errorf("count what is committed: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit to the outbox: %w", err)
	}
	o.apply(p)
	return nil
}

func (o *Outbox) insert(tx *sql.Tx, p *pending, d Draft) (event.Item, error) {
	if d.Key != "" {
		var seq uint64
		err := tx.Stmt(o.stmt.byKey).QueryRow(d.Key).Scan(&seq)
		if err == nil {
			return event.Item{Edge: o.edge, Epoch: o.epoch, Seq: seq, Kind: d.Kind, Stream: d.Stream, Subject: d.Subject}, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return event.Item{}, fmt.Errorf("look for key %s: %w", d.Key, err)
		}
	}
	now := o.now()
	if d.Time.IsZero() {
		d.Time = now
	}
	id, err := ulid.New(ulid.Timestamp(now), o.entropy)
	if err != nil {
		return event.Item{}, fmt.Errorf("make an id: %w", err)
	}
	p.committed++
	item := event.Item{ID: id, Edge: o.edge, Epoch: o.epoch, Seq: p.committed, Kind: d.Kind, Stream: d.Stream, Subject: d.Subject,
		Time: d.Time.UTC(), Priority: d.Priority, Attrs: d.Attrs, Type: d.Type, SHA256: event.Sum(d.Data), Data: d.Data}
	attrs, err := json.Marshal(d.Attrs)
	if err != nil {
		return event.Item{}, err
	}
	var expires int64
	if !d.Expires.IsZero() {
		expires = d.Expires.UnixNano()
	}
	if _, err = tx.Stmt(o.stmt.item).Exec(item.Seq, id[:], string(d.Kind), d.Stream, d.Subject,
		item.Time.UnixNano(), d.Priority, d.Value, attrs, d.Type, item.SHA256[:], len(d.Data), now.UnixNano(), expires); err != nil {
		return event.Item{}, fmt.Errorf("write an item: %w", err)
	}
	data := d.Data
	if data == nil {
		data = []byte{}
	}
	if _, err = tx.Stmt(o.stmt.payload).Exec(item.Seq, data); err != nil {
		return event.Item{}, fmt.Errorf("write an item's data: %w", err)
	}
	if d.Key != "" {
		if _, err = tx.Stmt(o.stmt.key).Exec(d.Key, item.Seq); err != nil {
			return event.Item{}, fmt.Errorf("write a key: %w", err)
		}
	}
	p.added = append(p.added, event.Ref{Seq: item.Seq, Priority: d.Priority, Value: d.Value, Bytes: len(d.Data), Time: now})
	return item, nil
}

// apply brings what is in memory up to what is durable.
func (o *Outbox) apply(p pending) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Committed = p.committed
	for _, r := range p.added {
		o.waiting[r.Seq] = r
		o.stats.Waiting++
		o.stats.Bytes += int64(r.Bytes)
	}
	for _, r := range p.dropped {
		o.forget(r.Seq)
		o.stats.Dropped++
	}
	for _, r := range p.added {
		if _, ok := o.waiting[r.Seq]; ok {
			o.fresh = append(o.fresh, r)
		}
	}
	if len(o.fresh) > 0 {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

// forget takes an item off what waits. The caller holds mu.
func (o *Outbox) forget(seq uint64) bool {
	r, ok := o.waiting[seq]
	if !ok {
		return false
	}
	delete(o.waiting, seq)
	o.stats.Waiting--
	o.stats.Bytes -= int64(r.Bytes)
	close(o.freed)
	o.freed = make(chan struct{})
	return true
}

// Load is an item that waits, with its data.
func (o *Outbox) Load(seq uint64) (event.Item, error) {
	i := event.Item{Edge: o.edge, Epoch: o.epoch, Seq: seq}
	var id, sum, attrs []byte
	var at int64
	err := o.db.QueryRow(`SELECT id, kind, stream, subject, time, priority, attrs, type, sha256, data
		FROM items JOIN payloads USING (seq) WHERE seq=?`, seq).
		Scan(&id, &i.Kind, &i.Stream, &i.Subject, &at, &i.Priority, &attrs, &i.Type, &sum, &i.Data)
	if err != nil {
		return i, fmt.Errorf("read item %d of the outbox: %w", seq, err)
	}
	copy(i.ID[:], id)
	copy(i.SHA256[:], sum)
	i.Time = time.Unix(0, at).UTC()
	if err := json.Unmarshal(attrs, &i.Attrs); err != nil {
		return i, fmt.Errorf("read item %d of the outbox: %w", seq, err)
	}
	return i, nil
}
