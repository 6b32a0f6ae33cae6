package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"cloudcanvas/shared/event"
)

// deletesAtOnce bounds what one transaction deletes, so that commits are not held up, and so that a
// nearly full disk still lets it through.
const deletesAtOnce = 500

// Receive frees what the receipt says that Kafka has, and nothing else. A receipt of another epoch
// frees nothing. The count of what was received moves in the same transaction.
func (o *Outbox) Receive(ctx context.Context, r event.Receipt) (freed int, err error) {
	if r.Epoch != o.epoch {
		return 0, nil
	}
	there := o.named(r)
	for part := range slices.Chunk(there, deletesAtOnce) {
		if err := o.free(ctx, part); err != nil {
			return freed, fmt.Errorf("free what the cloud has: %w", err)
		}
		freed += len(part)
	}
	return freed, nil
}

// named are the numbers that wait and that the receipt names, ascending.
func (o *Outbox) named(r event.Receipt) []uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	var seqs []uint64
	for seq := range o.waiting {
		above := slices.ContainsFunc(r.Above, func(x event.Range) bool { return x.From <= seq && seq <= x.To })
		if seq <= r.Through || above {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}

func (o *Outbox) free(ctx context.Context, seqs []uint64) error {
	err := o.change(ctx, func(tx *sql.Tx) error {
		for _, seq := range seqs {
			if err := remove(tx, seq); err != nil {
				return err
			}
		}
		_, err := tx.Exec("UPDATE meta SET value=CAST(value AS INTEGER)+? WHERE name='received'", len(seqs))
		return err
	})
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, seq := range seqs {
		o.forget(seq)
		o.stats.Received++
	}
	return nil
}

func remove(tx *sql.Tx, seq uint64) error {
	if _, err := tx.Exec("DELETE FROM payloads WHERE seq=?", seq); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM items WHERE seq=?", seq)
	return err
}

// change lets the owner do something in its next transaction.
func (o *Outbox) change(ctx context.Context, do func(*sql.Tx) error) error {
	r := request{change: do, answer: make(chan Answer, 1)}
	select {
	case o.ask <- r:
	case <-o.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return (<-r.answer).Err
}
