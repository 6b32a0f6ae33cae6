package bridge

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cloudcanvas/shared/event"
)

// receipts tells devices what Kafka has: soon after it changed, and not more often than `every` for
// one device. It publishes beside the bridge's loop, through a connection of its own.
type receipts struct {
	to    Receipts
	every time.Duration
	log   *slog.Logger

	mu   sync.Mutex
	owed map[life]func() event.Receipt
	wake chan struct{}
}

func newReceipts(to Receipts, every time.Duration, log *slog.Logger) *receipts {
	return &receipts{to: to, every: every, log: log, owed: map[life]func() event.Receipt{}, wake: make(chan struct{}, 1)}
}

// owe notes that a device should hear; say makes the receipt when it is its turn.
func (r *receipts) owe(l life, say func() event.Receipt) {
	r.mu.Lock()
	r.owed[l] = say
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *receipts) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		r.mu.Lock()
		owed := r.owed
		r.owed = map[life]func() event.Receipt{}
		r.mu.Unlock()
		for l, say := range owed {
			if err := r.send(ctx, l, say()); err != nil && ctx.Err() == nil {
				r.log.Debug("a receipt was not sent; the next one says as much", "edge", l.edge, "problem", err)
				r.later(ctx, l, say)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.every):
		}
	}
}

// later owes it again, unless a newer one is owed already.
func (r *receipts) later(ctx context.Context, l life, say func() event.Receipt) {
	time.AfterFunc(time.Second, func() {
		if ctx.Err() == nil {
			r.owe(l, say)
		}
	})
}

func (r *receipts) send(ctx context.Context, l life, receipt event.Receipt) error {
	item, err := receipt.Item(l.edge, time.Now())
	if err != nil {
		return err
	}
	payload, err := item.MarshalMQTT()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return r.to.Publish(ctx, event.ReceiptsTopic(l.edge), 1, false, payload)
}
