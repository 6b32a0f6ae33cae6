package edge

import (
	"context"
	"errors"
	"log/slog"

	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// draft is an item to be: what the outbox is given, and its place among others.
type draft struct {
	outbox.Draft
	rung       *event.Rung // on the ladder; nil: where its kind stands
	supersedes string      // key of an earlier item that nobody needs once this one is there; empty: none
}

// plain is the draft as the outbox takes it.
func (d draft) plain() outbox.Draft { return d.Draft }

// buffer is what lanes need of the outbox.
type buffer interface {
	// Commit makes drafts items, and waits while there is no room.
	Commit(ctx context.Context, drafts ...draft) error
	// Submit is Commit for live sources: where there is no room the least valuable is dropped.
	Submit(ctx context.Context, drafts ...draft) error
	// Raise makes what waits with that subject as urgent as that, and says how much that is.
	Raise(ctx context.Context, subject string, to event.Priority) (int, error)
}

// box is the outbox as a buffer.
type box struct {
	*outbox.Outbox
	log *slog.Logger
}

// withdrawer takes back what waits under those commit keys, into the ledger as superseded.
type withdrawer interface {
	Withdraw(ctx context.Context, keys ...string) (int, error)
}

type raiser interface {
	Raise(ctx context.Context, subject string, to event.Priority) (int, error)
}

func (b box) Commit(ctx context.Context, drafts ...draft) error {
	plain := make([]outbox.Draft, len(drafts))
	for i, d := range drafts {
		plain[i] = d.plain()
	}
	if _, err := b.Outbox.Commit(ctx, plain...); err != nil {
		return err
	}
	b.withdraw(ctx, drafts)
	return nil
}

func (b box) Submit(ctx context.Context, drafts ...draft) error {
	answers := make([]<-chan outbox.Answer, len(drafts))
	for i, d := range drafts {
		answers[i] = b.Outbox.Submit(ctx, d.plain())
	}
	var failed error
	for _, answer := range answers {
		failed = errors.Join(failed, (<-answer).Err)
	}
	if failed != nil {
		return failed
	}
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
	w, ok := any(b.Outbox).(withdrawer)
	if len(keys) == 0 || !ok {
		return
	}
	if _, err := w.Withdraw(ctx, keys...); err != nil && ctx.Err() == nil {
		b.log.Warn("what is superseded is sent all the same", telemetry.Err, err)
	}
}

func (b box) Raise(ctx context.Context, subject string, to event.Priority) (int, error) {
	r, ok := any(b.Outbox).(raiser)
	if !ok {
		return 0, nil
	}
	return r.Raise(ctx, subject, to)
}
