package edge

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/telemetry"
)

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
	now, told := time.Now().UnixNano(), a.lost.told.Load()
	if now-told > int64(10*time.Second) && a.lost.told.CompareAndSwap(told, now) {
		a.log.Warn("an item could not be committed and is not captured", telemetry.Stream, stream, "shed", n, telemetry.Err, err)
	}
	return nil
}
