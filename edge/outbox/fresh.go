package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// freshAtOnce bounds what one call of Fresh gives; fewEnough is how many rows of one priority are found by
// the index and sorted: more are met by going through all rows in their order.
const (
	freshAtOnce = 4096
	maxSorted   = 16 << 10
)

const refColumns = "seq, priority, kind, stream, rung, value, bytes, committed"

// backlog reads what waited when the outbox was opened: the most urgent first, and of one priority the
// oldest, so that no item of a stream is given before an older one of its priority.
type backlog struct {
	through   uint64 // the last number of that time
	rows      *sql.Rows
	priority  event.Priority // that is being read; all of what is more urgent is given
	any       bool           // one is being read
	maxSorted int            // fewEnough
}

func (b *backlog) close() {
	if b.rows != nil {
		b.rows.Close()
		b.rows = nil
	}
}

// next gives up to so many, and fewer only at the end.
func (b *backlog) next(db *sql.DB, most int) (refs []event.Ref, err error) {
	for len(refs) < most {
		if b.rows == nil {
			if more, err := b.begin(db); err != nil || !more {
				return refs, err
			}
		}
		for len(refs) < most && b.rows.Next() {
			r, err := scanRef(b.rows)
			if err != nil {
				return refs, err
			}
			refs = append(refs, r)
		}
		if len(refs) == most {
			return refs, nil
		}
		if err := b.rows.Err(); err != nil {
			return refs, err
		}
		b.close()
	}
	return refs, nil
}

// begin opens the next priority of which something waits.
func (b *backlog) begin(db *sql.DB) (more bool, err error) {
	var next sql.NullInt64
	after := -1
	if b.any {
		after = int(b.priority)
	}
	if err := db.QueryRow("SELECT min(priority) FROM items WHERE priority>?", after).Scan(&next); err != nil || !next.Valid {
		return false, err
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM (SELECT 1 FROM items WHERE priority=? LIMIT ?)", next.Int64, b.maxSorted+1).Scan(&n); err != nil {
		return false, err
	}
	by := "INDEXED BY items_worth"
	if n > b.maxSorted {
		by = "NOT INDEXED"
	}
	b.rows, err = db.Query("SELECT "+refColumns+" FROM items "+by+" WHERE priority=? AND seq<=? ORDER BY seq", next.Int64, b.through)
	if err != nil {
		return false, err
	}
	b.priority, b.any = event.Priority(next.Int64), true
	return true, nil
}

// holds says whether something older of that priority may not be given yet.
func (b *backlog) holds(p event.Priority) bool { return b != nil && (!b.any || p >= b.priority) }

func scanRef(rows *sql.Rows) (r event.Ref, err error) {
	var at int64
	err = rows.Scan(&r.Seq, &r.Priority, &r.Kind, &r.Stream, &r.Rung, &r.Value, &r.Bytes, &at)
	r.Time = time.Unix(0, at)
	return r, err
}

// Fresh gives some of what began to wait since the last call, and at first of all that waits; Wake
// says that there is more. What it gives may have ceased to wait. One caller only.
func (o *Outbox) Fresh() []event.Ref {
	o.reading.Lock()
	defer o.reading.Unlock()
	o.mu.Lock()
	refs, rest := o.fresh, []event.Ref(nil)
	if o.backlog != nil { // what came meanwhile waits for what is older
		refs = nil
		for _, r := range o.fresh {
			if o.backlog.holds(r.Priority) {
				rest = append(rest, r)
			} else {
				refs = append(refs, r)
			}
		}
	}
	n := min(len(refs), o.chunk)
	if refs, o.fresh = refs[:n:n], refs[n:]; len(rest) > 0 {
		o.fresh = append(slices.Clip(o.fresh), rest...)
	} else if len(o.fresh) == 0 {
		o.fresh = nil
	}
	more := len(o.fresh) > 0
	o.mu.Unlock()
	if n < o.chunk && o.backlog != nil {
		old, err := o.backlog.next(o.db, o.chunk-n)
		refs = append(refs, old...)
		if err != nil { // begin anew: what is given twice is sent once
			o.noteIfCorrupt(err)
			if !o.unreadable {
				o.log.Error("the outbox's backlog could not be read; reading is tried again every second", telemetry.Err, err)
			}
			o.unreadable = true
			o.backlog.close()
			o.backlog.any = false
			time.AfterFunc(time.Second, o.signalFresh)
			return refs
		} else if len(old) < o.chunk-n {
			o.backlog.close()
			o.backlog, o.unreadable = nil, false
		}
	}
	if more || o.backlog != nil {
		o.signalFresh()
	}
	return refs
}

// Wake says that Fresh has something.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }

func (o *Outbox) signalFresh() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Waits says whether an item is still waiting for its receipt.
func (o *Outbox) Waits(seq uint64) bool {
	o.mu.Lock()
	gone := o.coveredByDeferred(seq)
	o.mu.Unlock()
	if gone {
		return false
	}
	var one int
	return o.db.QueryRow("SELECT 1 FROM items WHERE seq=?", seq).Scan(&one) == nil
}

// WaitsUnder says whether the item that was committed with that key is still waiting for its receipt.
func (o *Outbox) WaitsUnder(key string) bool {
	var one int
	return o.db.QueryRow("SELECT 1 FROM items WHERE seq=(SELECT seq FROM keys WHERE key=?)", key).Scan(&one) == nil
}

// Raise makes what waits with that subject as urgent as to, where it is less: the cloud has asked
// for it. It comes out of Fresh again. It says how many items that were.
func (o *Outbox) Raise(ctx context.Context, subject string, to event.Priority) (n int, err error) {
	refs, err := o.refs(ctx, "subject=? AND priority>?", subject, to)
	if err != nil || len(refs) == 0 {
		return 0, err
	}
	err = o.change(ctx, func(s *step) error {
		for _, r := range refs {
			if err := s.exec("UPDATE items SET priority=? WHERE seq=?", to, r.Seq); err != nil {
				return fmt.Errorf("raise item %d: %w", r.Seq, err)
			}
			r.Priority = to
			s.p.added = append(s.p.added, r)
		}
		return nil
	})
	return len(refs), err
}

// refs are the items that wait and that a condition names.
func (o *Outbox) refs(ctx context.Context, where string, args ...any) (refs []event.Ref, err error) {
	rows, err := o.db.QueryContext(ctx, "SELECT "+refColumns+" FROM items WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("query the outbox: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRef(rows)
		if err != nil {
			return nil, err
		}
		refs = append(refs, r)
	}
	return refs, rows.Err()
}
