package bridge

import (
	"context"

	"golang.org/x/sync/semaphore"

	"cloudcanvas/shared/broker"
)

// queue holds what has come and is not yet in hand, bounded in messages and bytes. A full queue
// holds up the connection, and so the broker: it is bounded here because a broker's own window is
// no bound (it sends on as soon as something is acknowledged).
type queue struct {
	messages chan broker.Message
	bytes    *semaphore.Weighted
	most     int64
}

func newQueue(messages int, bytes int64) *queue {
	return &queue{messages: make(chan broker.Message, messages), bytes: semaphore.NewWeighted(bytes), most: bytes}
}

// put waits for room until ctx ends.
func (q *queue) put(ctx context.Context, m broker.Message) {
	if q.bytes.Acquire(ctx, q.weight(m)) != nil {
		return
	}
	select {
	case q.messages <- m:
	case <-ctx.Done():
	}
}

func (q *queue) weight(m broker.Message) int64 { return min(int64(len(m.Payload))+1, q.most) }

// gather takes what is there, without waiting.
func (q *queue) gather(first broker.Message, messages, bytes int) []broker.Message {
	batch, size := []broker.Message{first}, len(first.Payload)
	defer func() {
		for _, m := range batch {
			q.bytes.Release(q.weight(m))
		}
	}()
	for len(batch) < messages && size < bytes {
		select {
		case m := <-q.messages:
			batch = append(batch, m)
			size += len(m.Payload)
		default:
			return batch
		}
	}
	return batch
}
