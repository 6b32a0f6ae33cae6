package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/console/text"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// batch is one transaction's view of the index, with the notices for pages once it is done.
type batch struct {
	*Index
	ctx      context.Context
	tx       *sql.Tx
	notices  map[Notice]bool
	pictured bool // bytes of pictures have to be counted
}

// apply takes records of one partition into the index, in order, together with how far that partition is
// read, so that each counts once whatever happens. What can't be understood is counted and skipped: a page
// must not stand still for one bad record.
func (x *Index) apply(ctx context.Context, records []kafka.Record) error {
	b := batch{Index: x, ctx: ctx, notices: map[Notice]bool{}}
	last := records[len(records)-1]
	err := x.change(ctx, func(tx *sql.Tx) error {
		b.tx = tx
		for _, r := range records {
			if err := b.takeTried(r); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if !errors.Is(err, errUnreadable) {
					return err
				}
				x.o.Skipped(r.Topic, err)
			}
		}
		if err := b.prune(); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO progress VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next", last.Topic, last.Partition, last.Offset+1)
		return err
	})
	if err != nil {
		return err
	}
	x.o.Step()
	x.Notices.Add(slices.Collect(maps.Keys(b.notices))...)
	return nil
}

// errUnreadable marks what is wrong with a record, in contrast to the index.
var errUnreadable = errors.New("the record can't be shown")

func unreadable(err error) error { return fmt.Errorf("%w: %w", errUnreadable, err) }

// takeTried takes one record. One that panics, or that killed the process, is skipped.
func (b *batch) takeTried(r kafka.Record) error {
	at := fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
	done, err := b.o.Attempts.Begin(b.ctx, crashguard.Input{Source: r.Topic, Name: at, Key: "console:" + at + "/" + strconv.FormatInt(r.Time.UnixMilli(), 10)})
	if errors.Is(err, crashguard.ErrQuarantined) {
		return unreadable(err)
	}
	if err != nil {
		return err
	}
	defer done()
	err = crashguard.Shield(func() error { return b.take(r) })
	var panicked *crashguard.Panic
	if errors.As(err, &panicked) {
		return unreadable(err)
	}
	return err
}

func (b *batch) take(r kafka.Record) error {
	if r.Topic == event.DLQTopic {
		return b.deadLetter(r)
	}
	if r.Topic == event.ProductsTopic && len(r.Value) == 0 && len(r.Headers) == 0 {
		return nil // a key of before is given up: its product stands under another
	}
	i, err := r.Item()
	if err != nil {
		return unreadable(err)
	}
	// What was found in a scene is counted alone: rows of a radar's image are hundreds of megabytes.
	if i.Attrs.DataRef != "" && !(i.Kind == event.Result && i.Attrs.Scene != "") {
		if i.Data, err = b.fetch(i.Attrs.DataRef); err != nil {
			return unreadable(err)
		}
	}
	heard := r.Time
	if err := b.edge(i.Edge, heard); err != nil {
		return err
	}
	switch i.Kind {
	case event.Alert:
		return b.alert(i, heard)
	case event.Track:
		return b.track(i, heard)
	case event.Reading:
		return b.reading(i, heard)
	case event.Scene:
		return b.manifest(i, heard)
	case event.Frame:
		return b.picture(i, heard)
	case event.Crop:
		return b.snapshot(i)
	case event.Ack:
		return b.drops(i, heard)
	case event.Result:
		if fresh, err := b.fresh(i.ID); !fresh {
			return err
		}
		if i.Attrs.Scene != "" {
			return b.tileResult(i, heard)
		}
		return b.detections(i, heard)
	case event.Product:
		return b.product(i, heard)
	}
	return nil
}

func (b *batch) fetch(ref string) ([]byte, error) {
	if b.o.Objects == nil {
		return nil, fmt.Errorf("%s rests in the object store, and there is none", ref)
	}
	return b.o.Objects.Get(b.ctx, ref)
}

// about notes that pages should look again; many changes of one thing are one notice.
func (b *batch) about(what, edge, name string) {
	b.notices[Notice{What: what, Edge: edge, Name: name}] = true
}

// edge notes that something came of an edge.
func (b *batch) edge(edge string, heard time.Time) error {
	if edge == "" {
		return nil
	}
	_, err := b.tx.Exec("INSERT INTO edges (edge, heard) VALUES (?, ?) ON CONFLICT DO UPDATE SET heard = max(heard, excluded.heard)", edge, heard.UnixMilli())
	return err
}

// drops adds up what an edge dropped.
func (b *batch) drops(i event.Item, heard time.Time) error {
	report, err := event.ParseDropReport(i)
	if err != nil {
		return unreadable(err)
	}
	for _, d := range report.Each(i.Epoch) {
		_, err := b.tx.Exec(`INSERT INTO drops VALUES (?, ?, ?, ?, 1, ?, ?)
			ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes, last = max(last, excluded.last)`,
			i.Edge, string(d.Kind), text.Cut(d.Stream, text.MaxName), text.Cut(d.Reason, text.MaxName), d.Bytes, heard.UnixMilli())
		if err != nil {
			return err
		}
	}
	b.about(AboutDrop, i.Edge, "")
	return nil
}

const (
	maxReason       = 2000 // of a text that explains something
	headBytes       = 4096 // of a dead letter, kept for its preview
	keptDeadLetters = 100_000
)

// deadLetter keeps a dead letter.
func (b *batch) deadLetter(r kafka.Record) error {
	l := deadletter.Describe(r)
	_, err := b.tx.Exec("INSERT INTO letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		r.Partition, r.Offset, r.Time.UnixMilli(), text.Cut(l.Topic, text.MaxName), text.Cut(l.Connector, text.MaxName), text.Cut(l.Stage, text.MaxName), text.Cut(l.Class, text.MaxName), text.Cut(l.Reason, maxReason),
		l.Edge, l.Kind, text.Cut(l.Subject, text.MaxName), len(r.Value), text.Cut(l.Quarantine, text.MaxName), append([]byte{}, r.Value[:min(len(r.Value), headBytes)]...))
	if err != nil {
		return err
	}
	b.about(AboutDeadLetter, l.Edge, "")
	_, err = b.tx.Exec("DELETE FROM letters WHERE heard < (SELECT heard FROM letters ORDER BY heard DESC LIMIT 1 OFFSET ?)", keptDeadLetters)
	return err
}

// prune keeps the index within its bounds. Rows are numbered in the order they came.
func (b *batch) prune() error {
	for _, table := range []struct {
		name string
		keep int64
	}{{"events", b.o.Keep.Events}, {"readings", b.o.Keep.Readings}} {
		if _, err := b.tx.Exec("DELETE FROM "+table.name+" WHERE n <= (SELECT max(n) FROM "+table.name+") - ?", table.keep); err != nil {
			return err
		}
	}
	if !b.pictured {
		return nil
	}
	var bytes int64
	if err := b.tx.QueryRow("SELECT coalesce(sum(bytes), 0) FROM pictures").Scan(&bytes); err != nil {
		return err
	}
	for bytes > b.o.Keep.PictureBytes {
		var gone int64
		err := b.tx.QueryRow("DELETE FROM pictures WHERE n = (SELECT min(n) FROM pictures) RETURNING bytes").Scan(&gone)
		if err != nil {
			return err
		}
		bytes -= gone
	}
	return nil
}

// seenSchema is made in an index of an earlier program too.
const seenSchema = `CREATE TABLE IF NOT EXISTS seen (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE)`

// keptSeen is how many results are known again. Those that are there twice were written within seconds of
// each other: a worker died between its results and its offset.
const keptSeen = 100_000

// fresh says whether a result has not been counted yet, and notes that it is.
func (b *batch) fresh(id ulid.ULID) (bool, error) {
	added, err := b.tx.Exec("INSERT OR IGNORE INTO seen (id) VALUES (?)", id[:])
	if err != nil {
		return false, fmt.Errorf("note a result: %w", err)
	}
	n, err := added.RowsAffected()
	if err != nil || n == 0 {
		return false, err
	}
	last, err := added.LastInsertId()
	if err == nil && last%1000 == 0 {
		_, err = b.tx.Exec("DELETE FROM seen WHERE n <= ?", last-keptSeen)
	}
	return err == nil, err
}
