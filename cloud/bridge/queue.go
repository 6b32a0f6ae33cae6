package bridge

import (
	"context"
	"slices"
	"sync"

	"cloudcanvas/shared/broker"
)

// queue holds what has come and is not settled yet, bounded in messages and bytes. When it is full
// the intake waits, and with it the MQTT broker.
type queue struct {
	mu       sync.Mutex
	waiting  []broker.Message
	messages int   // waiting or being worked on
	bytes    int64 // of those
	limit    struct {
		messages int
		bytes    int64
	}
	came  chan struct{} // something is waiting
	freed chan struct{} // there is room again
}

func newQueue(messages int, bytes int64) *queue {
	q := &queue{came: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
	q.limit.messages, q.limit.bytes = messages, bytes
	return q
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// size is what a message counts for: its bytes, and what surrounds them in memory.
func size(m broker.Message) int64 { return int64(len(m.Payload) + len(m.Topic) + 256) }

// put waits for room. A message larger than everything there is room
// for is let in when it is alone, so that it can be told apart and set aside.
func (q *queue) put(ctx context.Context, m broker.Message) {
	for {
		q.mu.Lock()
		if q.messages == 0 || q.messages < q.limit.messages && q.bytes+size(m) <= q.limit.bytes {
			q.waiting = append(q.waiting, m)
			q.messages++
			q.bytes += size(m)
			q.mu.Unlock()
			signal(q.came)
			signal(q.freed) // there may be room for another who waits
			return
		}
		q.mu.Unlock()
		select {
		case <-q.freed:
		case <-ctx.Done():
			return // not acknowledged: it will come again
		}
	}
}

// take gives what is waiting, in order, up to those bounds but at least one if there is any.
func (q *queue) take(messages int, bytes int64) []broker.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for ; n < len(q.waiting) && n < messages; n++ {
		if bytes -= size(q.waiting[n]); bytes < 0 && n > 0 {
			break
		}
	}
	if n == 0 {
		return nil
	}
	taken := slices.Clone(q.waiting[:n])
	clear(q.waiting[:n]) // payloads are not held on to by what is behind the slice
	if n == len(q.waiting) {
		q.waiting = nil
	} else {
		q.waiting = q.waiting[n:]
		signal(q.came)
	}
	return taken
}

// done makes room for what was settled.
func (q *queue) done(messages int, bytes int64) {
	q.mu.Lock()
	q.messages -= messages
	q.bytes -= bytes
	q.mu.Unlock()
	signal(q.freed)
}

// clear forgets what is waiting: its connection is gone, and it will come again.
func (q *queue) clear() {
	q.mu.Lock()
	for _, m := range q.waiting {
		q.messages--
		q.bytes -= size(m)
	}
	q.waiting = nil
	q.mu.Unlock()
	signal(q.freed)
}

// held is what is in the bridge and not settled.
func (q *queue) held() (messages int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages, q.bytes
}
