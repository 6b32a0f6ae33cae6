package console

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// fold takes records of one partition into the index, together with how far that partition is read,
// so that each counts once whatever happens. What can't be understood is counted and passed over:
// a page must not stand still for one bad record.
type fold struct {
	*index
	disk     Disk
	objects  Objects
	attempts *crashguard.Guard
	tell     func(...Notice)
	passed   func(topic string, err error)
}

// batch is one transaction's view.
type batch struct {
	fold
	ctx      context.Context
	tx       *sql.Tx
	told     map[Notice]bool
	pictured bool // bytes of pictures have to be counted
}

// apply folds records, which are of one partition, in order.
func (f fold) apply(ctx context.Context, records []kafka.Record) error {
	b := batch{fold: f, ctx: ctx, told: map[Notice]bool{}}
	last := records[len(records)-1]
	err := f.change(ctx, func(tx *sql.Tx) error {
		b.tx = tx
		for _, r := range records {
			if err := b.takeNoted(r); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if !errors.Is(err, errUnreadable) {
					return err
				}
				f.passed(r.Topic, err)
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
	f.tell(slices.Collect(maps.Keys(b.told))...)
	return nil
}

// errUnreadable marks what is wrong with a record, in contrast to the index.
var errUnreadable = errors.New("the record can't be shown")

func unreadable(err error) error { return fmt.Errorf("%w: %w", errUnreadable, err) }

// takeNoted takes one record. One that panics, or that killed the process, is passed over and told.
func (b *batch) takeNoted(r kafka.Record) error {
	at := fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
	done, err := b.attempts.Begin(b.ctx, crashguard.Input{Source: r.Topic, Name: at, Key: "console:" + at + "/" + strconv.FormatInt(r.Time.UnixMilli(), 10)})
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
		return b.letter(r)
	}
	if r.Topic == event.ProductsTopic && len(r.Value) == 0 && len(r.Headers) == 0 {
		return nil // a key of before is given up: its product stands under another
	}
	i, err := r.Item()
	if err != nil {
		return unreadable(err)
	}
	if i.Attrs.DataRef != "" {
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
	if b.objects == nil {
		return nil, fmt.Errorf("%s rests in the object store, and there is none", ref)
	}
	return b.objects.Get(b.ctx, ref)
}

// about notes that pages should look again; many changes of one thing are one notice.
func (b *batch) about(what, edge, name string) {
	b.told[Notice{What: what, Edge: edge, Name: name}] = true
}

// edge notes that something came of an edge.
func (b *batch) edge(edge string, heard time.Time) error {
	if edge == "" {
		return nil
	}
	_, err := b.tx.Exec("INSERT INTO edges (edge, heard) VALUES (?, ?) ON CONFLICT DO UPDATE SET heard = max(heard, excluded.heard)", edge, heard.UnixMilli())
	return err
}

// status notes what an edge says of itself.
func (f fold) status(ctx context.Context, s event.Status) error {
	since := int64(0)
	if !s.Time.IsZero() {
		since = s.Time.UnixMilli()
	}
	link := ""
	if s.Link != nil {
		link = asJSON(s.Link)
	}
	err := f.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO edges (edge, status, epoch, version, since, link) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET since = CASE WHEN excluded.since > 0 THEN excluded.since WHEN status = excluded.status THEN since ELSE ? END,
			status = excluded.status, epoch = excluded.epoch, version = excluded.version, link = CASE WHEN excluded.link = '' THEN link ELSE excluded.link END`,
			s.Edge, s.Status, string(s.Epoch), s.Version, since, link, time.Now().UnixMilli())
		return err
	})
	if err == nil {
		f.tell(Notice{What: aboutEdge, Edge: s.Edge})
	}
	return err
}

// drops adds up what an edge let go of.
func (b *batch) drops(i event.Item, heard time.Time) error {
	report, err := event.ParseDropReport(i)
	if err != nil {
		return unreadable(err)
	}
	for _, d := range report.Each(i.Epoch) {
		_, err := b.tx.Exec(`INSERT INTO drops VALUES (?, ?, ?, ?, 1, ?, ?)
			ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes, last = max(last, excluded.last)`,
			i.Edge, string(d.Kind), cut(d.Stream, maxName), cut(d.Reason, maxName), d.Bytes, heard.UnixMilli())
		if err != nil {
			return err
		}
	}
	b.about(aboutDrop, i.Edge, "")
	return nil
}

// maxName bounds names that come from outside, maxReason what explains something.
const (
	maxName   = 300
	maxReason = 2000

	headBytes   = 4096 // of a dead letter, kept for its preview
	keptLetters = 100_000
)

// letter notes a dead letter.
func (b *batch) letter(r kafka.Record) error {
	l := deadletter.Describe(r)
	_, err := b.tx.Exec("INSERT INTO letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		r.Partition, r.Offset, r.Time.UnixMilli(), cut(l.Topic, maxName), cut(l.Connector, maxName), cut(l.Stage, maxName), cut(l.Class, maxName), cut(l.Reason, maxReason),
		l.Edge, l.Kind, cut(l.Subject, maxName), len(r.Value), cut(l.Quarantine, maxName), append([]byte{}, r.Value[:min(len(r.Value), headBytes)]...))
	if err != nil {
		return err
	}
	b.about(aboutLetter, l.Edge, "")
	_, err = b.tx.Exec("DELETE FROM letters WHERE heard < (SELECT heard FROM letters ORDER BY heard DESC LIMIT 1 OFFSET ?)", keptLetters)
	return err
}

// prune keeps the index within its bounds. Rows are numbered in the order they came.
func (b *batch) prune() error {
	for _, table := range []struct {
		name string
		keep int64
	}{{"events", b.keep.KeepEvents}, {"readings", b.keep.KeepReadings}} {
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
	for bytes > b.keep.PictureBytes {
		var gone int64
		err := b.tx.QueryRow("DELETE FROM pictures WHERE n = (SELECT min(n) FROM pictures) RETURNING bytes").Scan(&gone)
		if err != nil {
			return err
		}
		bytes -= gone
	}
	return nil
}

// cut shortens text to at most n bytes, and says so.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

func asJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}
