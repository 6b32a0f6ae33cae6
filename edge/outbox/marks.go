package outbox

import (
	"context"
	"fmt"

	"cloudcanvas/shared/event"
)

// Mark is a note in the buffer's database, written in the transaction of the items that it goes with:
// either both are there after a crash, or neither is. What a source needs to know of itself then, such
// as which messages have become items, it keeps so.
type Mark struct {
	Name  string
	Value []byte // nil: there is no such mark any more
}

// CommitMarked commits drafts of a live source as Submit does, and marks, all in one transaction. The
// items are durable when it returns; an error says that nothing was written.
func (o *Outbox) CommitMarked(ctx context.Context, drafts []Draft, marks []Mark) ([]event.Item, error) {
	sums := make([]event.Hash, len(drafts))
	for i, d := range drafts {
		sums[i] = event.Sum(d.Data)
	}
	items := make([]event.Item, len(drafts))
	err := o.change(ctx, func(s *step) (err error) {
		for i, d := range drafts {
			before := s.p.stats.Committed
			if items[i], err = s.insert(d, d.ID, sums[i]); err == nil && s.p.stats.Committed > before {
				err = s.admit(s.p.stats.Committed, d)
			}
			if err != nil {
				return err
			}
		}
		return s.note(marks)
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

func (s *step) note(marks []Mark) (err error) {
	for _, m := range marks {
		if m.Value == nil {
			_, err = s.dropMark.Exec(m.Name)
		} else {
			_, err = s.putMark.Exec(m.Name, m.Value)
		}
		if err != nil {
			return fmt.Errorf("write mark %s: %w", m.Name, err)
		}
	}
	return nil
}

// Marks are those whose names begin so, in the order of their names.
func (o *Outbox) Marks(prefix string) (all []Mark, err error) {
	rows, err := o.db.Query("SELECT name, value FROM marks WHERE substr(name, 1, ?)=? ORDER BY name", len([]rune(prefix)), prefix)
	if err != nil {
		return nil, fmt.Errorf("read the marks %s: %w", prefix, err)
	}
	defer rows.Close()
	for rows.Next() {
		var m Mark
		if err := rows.Scan(&m.Name, &m.Value); err != nil {
			return nil, fmt.Errorf("read the marks %s: %w", prefix, err)
		}
		all = append(all, m)
	}
	return all, rows.Err()
}
