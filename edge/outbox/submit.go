package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// Draft is what a stage wants delivered. Commit makes it an item: epoch, number, id and digest.
type Draft struct {
	Kind     event.Kind
	Stream   string
	Subject  string
	Time     time.Time
	Priority event.Priority
	Rung     event.Rung // 0: where items of the kind stand
	Value    float64    // what it is worth, 0 … 1; what goes first is chosen by value per byte
	Attrs    event.Attrs
	Type     string
	Data     []byte
	Key      string    // committing the same key again into this database is a no-op; empty: no key
	ID       ulid.ULID // zero: one is drawn
	Expires  time.Time // dropped when it still waits then; zero: as the stream is configured
}

// Commit makes drafts items and returns them once they are durable. While the quota is full it
// waits, and while the disk takes no writes: that is the backpressure on sources that can be read
// again later.
func (o *Outbox) Commit(ctx context.Context, drafts ...Draft) ([]event.Item, error) {
	items := make([]event.Item, 0, len(drafts))
	answers := make([]<-chan Answer, len(drafts))
	for i, d := range drafts {
		answers[i] = o.submit(ctx, d, false)
	}
	for i, answer := range answers {
		a := <-answer
		for errors.Is(a.Err, errNoRoom) || errors.Is(a.Err, ErrDisk) {
			wait := o.waitForDisk
			if errors.Is(a.Err, errNoRoom) {
				wait = func(ctx context.Context) error { return o.room(ctx, drafts[i]) }
			}
			if err := wait(ctx); err != nil {
				return items, err
			}
			a = <-o.submit(ctx, drafts[i], false)
		}
		if a.Err != nil {
			return items, a.Err
		}
		items = append(items, a.Item)
	}
	return items, nil
}

// Answer is what became of a draft.
type Answer struct {
	Item event.Item
	Err  error
}

// Submit is Commit for live sources, which can't wait: the answer comes later, and where the quota
// is full the least valuable that waits is dropped, with an entry in the ledger. That may be the
// draft itself: it is an item then, whose number is in the ledger.
func (o *Outbox) Submit(ctx context.Context, d Draft) <-chan Answer { return o.submit(ctx, d, true) }

func (o *Outbox) submit(ctx context.Context, d Draft, drop bool) <-chan Answer {
	r := request{draft: d, sum: event.Sum(d.Data), drop: drop, answer: make(chan Answer, 1)}
	if err := o.put(ctx, r); err != nil {
		r.answer <- Answer{Err: err}
	}
	return r.answer
}

// put hands a request to the owner.
func (o *Outbox) put(ctx context.Context, r request) error {
	o.senders.RLock() // so that the owner, at its end, leaves nobody without an answer
	defer o.senders.RUnlock()
	select {
	case <-o.done:
		return ErrClosed
	default:
	}
	select {
	case o.requests <- r:
		return nil
	case <-o.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// room waits until a draft may fit.
func (o *Outbox) room(ctx context.Context, d Draft) error {
	for {
		o.mu.Lock()
		fits := o.fits(o.stats, o.streams[d.Stream], d)
		freed := o.freed
		o.mu.Unlock()
		if fits {
			return nil
		}
		select {
		case <-freed:
		case <-o.done:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

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
