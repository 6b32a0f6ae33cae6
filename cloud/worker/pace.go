package worker

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff doubles from first to most, with jitter so that workers do not come back all at once.
type backoff struct {
	first, most time.Duration
	now         time.Duration
}

func (b *backoff) next() time.Duration {
	b.now = min(max(b.now*2, b.first), b.most)
	return b.now/2 + rand.N(b.now/2+1)
}

func (b *backoff) reset() { b.now = 0 }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// whileOpen is a context that ends with ctx or when stop closes.
func whileOpen(ctx context.Context, stop <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// insist does something until it succeeds or ctx ends. It says once that it fails and once that it
// is well again.
func (w *Worker) insist(ctx context.Context, what string, do func() error) error {
	wait := backoff{first: 100 * time.Millisecond, most: 5 * time.Second}
	failing := false
	for {
		err := do()
		if err == nil {
			if failing {
				w.Log.Info(what + " works again")
			}
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !failing {
			w.Log.Warn(what+" fails, trying until it works", "error", err)
			failing = true
		}
		if err := w.pause(ctx, wait.next()); err != nil {
			return err
		}
	}
}
