package edge

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
)

// draft is an item to be, and the key of an earlier one that nobody needs once this one is there.
type draft struct {
	outbox.Draft
	supersedes string // empty: none
}

// buffer is what lanes need of the outbox.
type buffer interface {
	// Commit makes drafts items, and waits while there is no room.
	Commit(ctx context.Context, drafts ...draft) error
	// Submit is Commit for live sources: where there is no room the least valuable is dropped.
	Submit(ctx context.Context, drafts ...draft) error
	// WaitsUnder says whether what was committed with that key still waits for its receipt.
	WaitsUnder(key string) bool
	// Raise makes what waits with that subject as urgent as that, and says how much that is.
	Raise(ctx context.Context, subject string, to event.Priority) (int, error)
}

// box is the outbox as a buffer.
type box struct {
	*outbox.Outbox
	shed func(ctx context.Context, stream string, err error) error // of live sources
	log  *slog.Logger

	trace *trace.Tracer
}

func (b box) Commit(ctx context.Context, drafts ...draft) error {
	began := time.Now()
	b.begun(drafts)
	for _, d := range drafts {
		if d.Key != "" {
			if err := commitPatiently(ctx, b.Outbox, d.Draft, b.log); err != nil {
				return err
			}
		}
	}
	var plain []outbox.Draft
	for _, d := range drafts {
		if d.Key == "" {
			plain = append(plain, d.Draft)
		}
	}
	if _, err := b.Outbox.Commit(ctx, plain...); err != nil {
		return err
	}
	b.committed(drafts, began)
	b.withdraw(ctx, drafts)
	return nil
}

func (b box) Submit(ctx context.Context, drafts ...draft) error {
	began := time.Now()
	b.begun(drafts)
	answers := make([]<-chan outbox.Answer, len(drafts))
	for i, d := range drafts {
		answers[i] = b.Outbox.Submit(ctx, d.Draft)
	}
	var failed error
	for i, answer := range answers {
		if err := (<-answer).Err; err != nil {
			failed = errors.Join(failed, b.shed(ctx, drafts[i].Stream, err))
			drafts[i].supersedes = "" // the earlier one is all there is
		}
	}
	if failed != nil {
		return failed
	}
	b.committed(drafts, began)
	b.withdraw(ctx, drafts)
	return nil
}

// Record commits what readings became and marks, all or nothing, and tries until it is done: only the
// end of ctx or of the buffer is an error.
func (b box) Record(ctx context.Context, drafts []draft, marks []outbox.Mark) error {
	began := time.Now()
	b.begun(drafts)
	plain := make([]outbox.Draft, len(drafts))
	for i, d := range drafts {
		plain[i] = d.Draft
	}
	err := retry.Task{First: firstWait, Most: mostWait,
		Final: func(err error) bool { return errors.Is(err, outbox.ErrClosed) },
		Tell: func(err error) bool {
			b.log.Warn("readings can't be committed; they stay with the local broker until they can", telemetry.Err, err)
			return true
		}}.Do(ctx, func() error {
		_, err := b.CommitMarked(ctx, plain, marks)
		return err
	})
	if err != nil {
		return err
	}
	b.committed(drafts, began)
	b.withdraw(ctx, drafts)
	return nil
}

// withdraw takes back what drafts supersede, now that they are durable themselves. Where that fails
// the earlier ones are sent as well, which is no loss.
func (b box) withdraw(ctx context.Context, drafts []draft) {
	var keys []string
	for _, d := range drafts {
		if d.supersedes != "" {
			keys = append(keys, d.supersedes)
		}
	}
	if len(keys) == 0 {
		return
	}
	if _, err := b.Withdraw(ctx, keys...); err != nil && ctx.Err() == nil {
		b.log.Warn("what is superseded is sent all the same", telemetry.Err, err)
	}
}
