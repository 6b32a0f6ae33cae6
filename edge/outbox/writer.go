package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
	lib "modernc.org/sqlite/lib"

	"cloudcanvas/shared/event"
)

// maxBatch bounds one transaction. There is no timer: while one transaction reaches the disk, the
// next one gathers.
const (
	maxBatch      = 200
	maxBatchBytes = 16 << 20
)

// errNoRoom sends a draft that can wait back to wait.
var errNoRoom = errors.New("the outbox is full")

// request is one thing the owner is asked for: a draft, a change, or to stop.
type request struct {
	draft  Draft
	id     ulid.ULID // of an item that was committed before; zero: a new one is drawn
	sum    event.Hash
	drop   bool // make room by dropping
	change func(*step) error
	stop   bool
	answer chan Answer
}

// own is the goroutine that writes.
func (o *Outbox) own() {
	for first := range o.requests {
		batch, stop := o.gather(first)
		o.commit(batch)
		if stop {
			break
		}
	}
	close(o.done)
	o.senders.Lock() // when nobody is handing over a request any more
	defer o.senders.Unlock()
	for {
		select {
		case r := <-o.requests:
			r.answer <- Answer{Err: ErrClosed}
		default:
			return
		}
	}
}

func (o *Outbox) gather(first request) (batch []request, stop bool) {
	r, bytes := first, 0
	for {
		if r.stop {
			return batch, true
		}
		batch = append(batch, r)
		if bytes += len(r.draft.Data); len(batch) == maxBatch || bytes >= maxBatchBytes {
			return batch, false
		}
		select {
		case r = <-o.requests:
		default:
			return batch, false
		}
	}
}

// commit writes a batch in one transaction. Where that fails, each request is tried alone, so that
// one bad draft does not take its neighbours along, and a full disk takes what still fits.
func (o *Outbox) commit(batch []request) {
	answers := make([]Answer, len(batch))
	if err := o.diskResting(); err != nil {
		for i := range batch {
			answers[i] = Answer{Err: err}
		}
	} else if err := o.transact(batch, answers); err != nil {
		o.commitEach(batch, answers)
	} else {
		o.diskWorks()
	}
	for i, r := range batch {
		r.answer <- answers[i]
	}
	o.catchUp()
}

// commitEach tries each request alone. A disk that takes no writes is not tried with the others.
func (o *Outbox) commitEach(batch []request, answers []Answer) {
	var failed error
	for i := range batch {
		answers[i] = Answer{Err: failed}
		if failed != nil {
			continue
		}
		answers[i] = Answer{}
		switch err := o.tryAlone(batch[i:i+1], answers[i:i+1]); {
		case isDisk(err):
			failed = o.diskFailed(err)
			answers[i] = Answer{Err: failed}
		case err != nil:
			answers[i] = Answer{Err: err}
		default:
			o.diskWorks()
		}
	}
}

// tryAlone tries one request, and once more with the ballast thrown off where the disk is full.
func (o *Outbox) tryAlone(one []request, answers []Answer) error {
	err := o.transact(one, answers)
	if !isFull(err) {
		if c := code(err); c == lib.SQLITE_CORRUPT || c == lib.SQLITE_NOTADB {
			if gone := o.probe(); gone != nil {
				return fmt.Errorf("%w: %w (%w)", ErrDisk, gone, err)
			}
		}
		o.noteIfCorrupt(err)
		return err
	}
	o.onDiskFull()
	return o.transact(one, answers)
}

// step is one transaction on its way.
type step struct {
	*writer
	o *Outbox
	p pending
}

// pending is what a transaction changes in memory once it is durable.
type pending struct {
	stats    Stats
	streams  map[string]usage
	segments map[uint64]int64 // items more or fewer
	epochs   map[uint64]int64 // items more or fewer that wait, by an epoch's first number
	begun    bool             // the current epoch is written down
	pruned   int              // of the oldest epochs
	terms    terms            // where another epoch begins; nil: none does
	added    []event.Ref
	gone     map[uint64]bool
	spans    []span // that nothing names any more
	appended []span // that nothing names yet
	behind   []string
	parts    map[uint64]heldParts
}

func (o *Outbox) transact(batch []request, answers []Answer) error {
	s := &step{writer: o.write, o: o, p: pending{stats: o.stats, streams: map[string]usage{}, segments: map[uint64]int64{}, epochs: map[uint64]int64{}, gone: map[uint64]bool{}, parts: map[uint64]heldParts{}}}
	if err := s.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	err := o.disk()
	if err == nil {
		err = s.all(batch, answers)
	}
	if err == nil {
		err = o.segments.sync()
	}
	if err == nil {
		err = s.count()
	}
	committing := err == nil
	if committing {
		err = s.exec("COMMIT")
	}
	if err != nil {
		_ = s.exec("ROLLBACK") // where COMMIT failed it may have happened already
		if !committing || isFull(err) {
			o.segments.free(s.p.appended) // no row will name it; after another fault of COMMIT one might
			o.segments.rest()
		}
		return fmt.Errorf("commit to the outbox: %w", err)
	}
	o.apply(s.p)
	return nil
}

func (s *step) all(batch []request, answers []Answer) (err error) {
	for i, r := range batch {
		switch {
		case r.change != nil:
			err = r.change(s)
		case !r.drop && !neverDropped(r.draft.Kind) && !s.o.fits(s.p.stats, s.usage(r.draft.Stream), r.draft) && !s.knows(r.draft.Key):
			answers[i].Err = s.o.noRoom(r.draft)
		default:
			before := s.p.stats.Committed
			if answers[i].Item, err = s.insert(r.draft, r.id, r.sum); err == nil && r.drop && s.p.stats.Committed > before {
				err = s.admit(s.p.stats.Committed, r.draft)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *step) usage(stream string) usage {
	if u, ok := s.p.streams[stream]; ok {
		return u
	}
	return s.o.streams[stream] // only the owner writes it
}

// knows says whether something was committed under that key.
func (s *step) knows(key string) bool {
	var seq uint64
	return key != "" && s.byKey.QueryRow(key).Scan(&seq) == nil
}

func (s *step) insert(d Draft, id ulid.ULID, sum event.Hash) (event.Item, error) {
	o := s.o
	if d.Key != "" {
		var seq uint64
		err := s.byKey.QueryRow(d.Key).Scan(&seq)
		if err == nil {
			epoch, number := s.terms().place(seq)
			return event.Item{Edge: o.edge, Epoch: epoch, Seq: number, Kind: d.Kind, Stream: d.Stream, Subject: d.Subject}, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return event.Item{}, fmt.Errorf("look for key %s: %w", d.Key, err)
		}
	}
	now := o.now()
	if d.Time.IsZero() {
		d.Time = now
	}
	if d.Rung == 0 {
		d.Rung = d.Kind.Rung()
	}
	if after := o.config.Streams[d.Stream].ExpireAfter; after > 0 && d.Expires.IsZero() {
		d.Expires = now.Add(after)
	}
	t, err := s.current()
	if err != nil {
		return event.Item{}, err
	}
	if id.IsZero() {
		if id, err = ulid.New(ulid.Timestamp(now), o.entropy); err != nil {
			return event.Item{}, fmt.Errorf("make an id: %w", err)
		}
	}
	own := s.p.stats.Committed + 1
	item := event.Item{ID: id, Edge: o.edge, Epoch: t.epoch, Seq: own - (t.first - 1), Kind: d.Kind, Stream: d.Stream, Subject: d.Subject,
		Time: d.Time.UTC(), Priority: d.Priority, Attrs: d.Attrs, Type: d.Type, SHA256: sum, Data: d.Data}
	s.p.stats.Committed++
	return item, s.write(own, item, d, now)
}

// write puts an item's row, data and key where they belong.
func (s *step) write(own uint64, item event.Item, d Draft, now time.Time) (err error) {
	var at span
	if len(d.Data) >= inline {
		if at, err = s.o.segments.append(d.Data); err != nil {
			return err
		}
		s.p.segments[at.segment]++
		s.p.appended = append(s.p.appended, at)
	} else if _, err = s.payload.Exec(own, notNil(d.Data)); err != nil {
		return fmt.Errorf("write an item's data: %w", err)
	}
	return s.insertRow(own, item, d, now, at)
}

// insertRow makes an item wait whose data is where it belongs.
func (s *step) insertRow(own uint64, item event.Item, d Draft, now time.Time, at span) error {
	attrs, err := json.Marshal(d.Attrs)
	if err != nil {
		return err
	}
	var expires int64
	if !d.Expires.IsZero() {
		expires = d.Expires.UnixNano()
	}
	sum := identityOf(own, item, attrs).checksum()
	if _, err = s.item.Exec(own, d.Priority, cheap(d), len(d.Data), now.UnixNano(), expires, at.segment, at.place, d.Stream, string(d.Kind),
		d.Rung, d.Value, d.Subject, item.ID[:], item.Time.UnixNano(), attrs, d.Type, item.SHA256[:], sum); err != nil {
		return fmt.Errorf("write an item: %w", err)
	}
	if d.Key != "" {
		if _, err = s.key.Exec(d.Key, own); err != nil {
			return fmt.Errorf("write a key: %w", err)
		}
	}
	s.countEpoch(own, 1)
	s.countStream(d.Stream, 1, int64(len(d.Data)))
	s.p.added = append(s.p.added, event.Ref{Seq: own, Priority: d.Priority, Kind: d.Kind, Stream: d.Stream, Rung: d.Rung,
		Value: d.Value, Bytes: len(d.Data), Time: now})
	return nil
}

// cheap is minus the value of a byte; a small constant keeps tiny items comparable.
func cheap(d Draft) float64 { return -d.Value / float64(len(d.Data)+512) }

func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// change lets the owner do something in its next transaction.
func (o *Outbox) change(ctx context.Context, do func(*step) error) error {
	r := request{change: do, answer: make(chan Answer, 1)}
	if err := o.put(ctx, r); err != nil {
		return err
	}
	return (<-r.answer).Err
}
