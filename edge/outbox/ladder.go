package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/shared/event"
)

// Ladder is what waits by priority and rung, the most urgent first. It reads every row that waits:
// for people, not for the way of an item.
func (o *Outbox) Ladder(ctx context.Context) ([]event.LadderStep, error) { return ladder(ctx, o.db) }

// Ladder is what waits by priority and rung, the most urgent first.
func (r *Reader) Ladder(ctx context.Context) ([]event.LadderStep, error) { return ladder(ctx, r.db) }

func ladder(ctx context.Context, db *sql.DB) ([]event.LadderStep, error) {
	rows, err := db.QueryContext(ctx, "SELECT priority, rung, count(*), sum(bytes), min(committed) FROM items GROUP BY priority, rung ORDER BY priority, rung")
	if err != nil {
		return nil, fmt.Errorf("count what waits: %w", err)
	}
	defer rows.Close()
	all := []event.LadderStep{}
	for rows.Next() {
		var s event.LadderStep
		var oldest int64
		if err := rows.Scan(&s.Priority, &s.Rung, &s.Items, &s.Bytes, &oldest); err != nil {
			return nil, fmt.Errorf("count what waits: %w", err)
		}
		s.Oldest = time.Unix(0, oldest).UTC()
		all = append(all, s)
	}
	return all, rows.Err()
}

// About says what an item that waits is, without its data; ErrGone where it waits no more.
func (o *Outbox) About(ctx context.Context, seq uint64) (kind event.Kind, stream, subject string, err error) {
	err = o.db.QueryRowContext(ctx, "SELECT kind, stream, subject FROM items WHERE seq=?", seq).Scan(&kind, &stream, &subject)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("item %d: %w", seq, ErrGone)
	}
	return kind, stream, subject, err
}
