package worker

import (
	"context"
	"math/rand/v2"
	"time"

	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
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

// retry does something until it succeeds or ctx ends. It logs once that it fails and once that it
// works again.
func (w *Worker) retry(ctx context.Context, what string, do func() error) error {
	return retry.Task{First: 100 * time.Millisecond, Most: 5 * time.Second, Pause: w.pause,
		Tell: func(err error) bool {
			w.Log.Warn(what+" fails; the worker tries again until it works", telemetry.Err, err)
			return true
		},
		Works: func(after time.Duration, told bool) {
			if told {
				w.Log.Info(what+" works again", "after", after.Round(time.Millisecond))
			}
		}}.Do(ctx, do)
}
