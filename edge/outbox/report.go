package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// reportsAtOnce bounds one report of drops.
const reportsAtOnce = 1000

// Report commits an item that tells the cloud of drops not yet reported, so that it does not wait
// for their numbers. It returns how many these were.
func (o *Outbox) Report(ctx context.Context) (int, error) {
	if err := o.resolveGaps(ctx); err != nil {
		return 0, err
	}
	some, err := unreported(ctx, o.db, 1)
	if isDisk(err) {
		return 0, fmt.Errorf("%w: %w", ErrDisk, err)
	}
	if err != nil || len(some) == 0 && !o.hasLosses() {
		return 0, err
	}
	var d drops
	err = o.change(ctx, func(s *step) error {
		if d, err = s.unreported(reportsAtOnce); err != nil {
			return err
		}
		if d.n > 0 {
			if err := s.report(d); err != nil {
				return err
			}
		}
		for _, mark := range d.markReported {
			if err := mark(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("report drops: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for epoch, ranges := range d.lost {
		if o.losses[epoch] -= ranges; o.losses[epoch] <= 0 {
			delete(o.losses, epoch)
		}
	}
	return d.n, nil
}

func (o *Outbox) hasLosses() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.losses) > 0
}

// report commits a report of drops. It speaks first of those of its own epoch.
func (s *step) report(d drops) error {
	t, err := s.current()
	if err != nil {
		return err
	}
	r := event.DropReport{Drops: d.byEpoch[t.epoch]}
	if r.Drops == nil {
		r.Drops = []event.Drop{}
	}
	for _, epoch := range slices.Sorted(maps.Keys(d.byEpoch)) {
		if epoch != t.epoch {
			r.Earlier = append(r.Earlier, event.EpochDrops{Epoch: epoch, Drops: d.byEpoch[epoch]})
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = s.insert(Draft{Kind: event.Ack, Stream: "outbox", Subject: "drops", Priority: event.High, Value: 1, Type: "application/json", Data: data}, ulid.ULID{}, event.Sum(data))
	return err
}

// querier is a database, or a connection to it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func unreported(ctx context.Context, db querier, most int) ([]event.Drop, error) {
	rows, err := db.QueryContext(ctx, "SELECT seq, kind, stream, bytes, reason FROM ledger WHERE reported=0 ORDER BY seq LIMIT ?", most)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	var drops []event.Drop
	for rows.Next() {
		var d event.Drop
		if err := rows.Scan(&d.Seq, &d.Kind, &d.Stream, &d.Bytes, &d.Reason); err != nil {
			return nil, err
		}
		drops = append(drops, d)
	}
	return drops, rows.Err()
}

// errReadDrops says that the ledger can't be read.
var errReadDrops = errors.New("read the ledger")

// drops are those that are not reported yet, and what marks them as reported.
type drops struct {
	byEpoch      map[event.Epoch][]event.Drop
	markReported []func() error
	lost         map[event.Epoch]int // ranges that are reported whole
	n            int
}

// unreported gathers up to so many drops, of as many epochs as one report may name.
func (s *step) unreported(most int) (d drops, err error) {
	d = drops{byEpoch: map[event.Epoch][]event.Drop{}, lost: map[event.Epoch]int{}}
	entries, err := unreported(context.Background(), s.conn, most)
	if err != nil {
		return d, err
	}
	for _, e := range entries {
		own := e.Seq
		epoch, seq := s.terms().place(own)
		mark := func() error { return s.exec("UPDATE ledger SET reported=1 WHERE seq=?", own) }
		if epoch == "" { // nobody knows it by any number
			d.markReported = append(d.markReported, mark)
			continue
		}
		if e.Seq = seq; d.add(epoch, e) {
			d.markReported = append(d.markReported, mark)
		}
	}
	return d, s.unreportedLosses(&d, most)
}

// add takes a drop into the report, where that has room for its epoch.
func (d *drops) add(epoch event.Epoch, e event.Drop) bool {
	if _, ok := d.byEpoch[epoch]; !ok && len(d.byEpoch) == event.MaxEpochs {
		return false
	}
	d.byEpoch[epoch] = append(d.byEpoch[epoch], e)
	d.n++
	return true
}

func (s *step) unreportedLosses(d *drops, most int) error {
	rows, err := s.conn.QueryContext(context.Background(), "SELECT epoch, low, high FROM losses WHERE reported=0 ORDER BY epoch, low LIMIT ?", most)
	if err != nil {
		return fmt.Errorf("%w: %w", errReadDrops, err)
	}
	defer rows.Close()
	type loss struct {
		epoch event.Epoch
		event.Range
	}
	var all []loss
	for rows.Next() {
		var l loss
		if err := rows.Scan(&l.epoch, &l.From, &l.To); err != nil {
			return fmt.Errorf("%w: %w", errReadDrops, err)
		}
		all = append(all, l)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%w: %w", errReadDrops, err)
	}
	for _, l := range all {
		seq := l.From
		for ; seq <= l.To && d.n < most; seq++ {
			if !d.add(l.epoch, event.Drop{Seq: seq, Reason: ReasonCorrupt}) {
				break
			}
		}
		switch {
		case seq > l.To:
			d.lost[l.epoch]++
			d.markReported = append(d.markReported, func() error {
				return s.exec("UPDATE losses SET reported=1 WHERE epoch=? AND low=?", string(l.epoch), l.From)
			})
		case seq > l.From: // the first of them
			d.markReported = append(d.markReported, func() error {
				return errors.Join(s.exec("UPDATE losses SET high=?, reported=1 WHERE epoch=? AND low=?", seq-1, string(l.epoch), l.From),
					s.exec("INSERT INTO losses VALUES (?,?,?,?,0)", string(l.epoch), seq, l.To, s.o.now().UnixNano()))
			})
		}
	}
	return nil
}
