package edge

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// commitPatiently commits a keyed draft of a source that can wait, also for a disk that is full: the
// key makes it one item however often it is tried.
func commitPatiently(ctx context.Context, box committer, d outbox.Draft, log *slog.Logger) error {
	return retry.Task{First: firstWait, Most: mostWait,
		Final: func(err error) bool { return errors.Is(err, outbox.ErrClosed) || errors.Is(err, outbox.ErrTooLarge) },
		Tell: func(err error) bool {
			log.Warn("an item can't be committed; it is tried until it can", telemetry.Stream, d.Stream, "subject", d.Subject, telemetry.Err, err)
			return true
		}}.Do(ctx, func() error {
		_, err := box.Commit(ctx, d)
		return err
	})
}

// Waits between tries to commit what can wait.
const (
	firstWait = 250 * time.Millisecond
	mostWait  = 30 * time.Second
)

// committer is the part of the outbox that commitPatiently asks.
type committer interface {
	Commit(ctx context.Context, drafts ...outbox.Draft) ([]event.Item, error)
}

// lost counts what live sources gave and the outbox could not take.
type lost struct {
	count atomic.Int64
	told  atomic.Int64 // when, Unix nanoseconds
}

// shed decides what a live source does about an item that could not be committed, as on a full disk:
// it goes on without it, counted, and tells so once in ten seconds. The error is for those that can't
// go on.
func (a *Agent) shed(ctx context.Context, stream string, err error) error {
	if ctx.Err() != nil || errors.Is(err, outbox.ErrClosed) {
		return err
	}
	n := a.lost.count.Add(1)
	if errors.Is(err, outbox.ErrDisk) {
		return nil // the outbox tells of its disk once, and at its end how much that was
	}
	now, told := time.Now().UnixNano(), a.lost.told.Load()
	if now-told > int64(10*time.Second) && a.lost.told.CompareAndSwap(told, now) {
		a.log.Warn("an item could not be committed and is not captured", telemetry.Stream, stream, "shed", n, telemetry.Err, err)
	}
	return nil
}
