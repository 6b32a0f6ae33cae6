package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"cloudcanvas/shared/event"
)

// freshAtOnce bounds what one call of Fresh gives.
const freshAtOnce = 4096

const refColumns = "seq, priority, kind, stream, rung, value, bytes, committed"

// backlog reads what waited when the outbox was opened, the most urgent first.
type backlog struct {
	through uint64 // the last number of that time
	rows    *sql.Rows
}

func (b *backlog) close() {
	if b.rows != nil {
		b.rows.Close()
		b.rows = nil
	}
}

// next gives up to so many, and fewer only at the end.
func (b *backlog) next(db *sql.DB, most int) (refs []event.Ref, err error) {
	if b.rows == nil {
		b.rows, err = db.Query("SELECT "+refColumns+" FROM items WHERE seq<=? ORDER BY priority, cheap", b.through)
		if err != nil {
			return nil, err
		}
	}
	for len(refs) < most && b.rows.Next() {
		r, err := scanRef(b.rows)
		if err != nil {
			return refs, err
		}
		refs = append(refs, r)
	}
	return refs, b.rows.Err()
}

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
	n := min(len(o.fresh), freshAtOnce)
	refs := o.fresh[:n:n]
	if o.fresh = o.fresh[n:]; len(o.fresh) == 0 {
		o.fresh = nil
	}
	more := len(o.fresh) > 0
	o.mu.Unlock()
	if n < freshAtOnce && o.backlog != nil {
		old, err := o.backlog.next(o.db, freshAtOnce-n)
		refs = append(refs, old...)
		if err != nil { // begin anew: what is given twice is sent once
			o.judge(err)
			if !o.unreadable {
				o.log.Error("what waits in the outbox could not be read; it is tried again every second", "problem", err)
			}
			o.unreadable = true
			o.backlog.close()
			time.AfterFunc(time.Second, o.stir)
			return refs
		} else if len(old) < freshAtOnce-n {
			o.backlog.close()
			o.backlog, o.unreadable = nil, false
		}
	}
	if more || o.backlog != nil {
		o.stir()
	}
	return refs
}

// Wake says that Fresh has something.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }

func (o *Outbox) stir() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Waits says whether an item is still waiting for its receipt.
func (o *Outbox) Waits(seq uint64) bool {
	o.mu.Lock()
	gone := o.receipted(seq)
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

// Raise makes what waits with that subject as urgent as said, where it is less: the cloud has asked
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
		return nil, fmt.Errorf("look through the outbox: %w", err)
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
