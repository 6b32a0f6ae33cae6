// Package feed puts stored work before the workers as they have room for it. What waits in Kafka is
// done in the order it came; so live work overtakes stored work by the latter being kept back: no more
// than a few items of it wait in Kafka at any time.
package feed

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/retry"
)

// Log is what a Feeder needs of *kafka.Client.
type Log interface {
	Append(ctx context.Context, records ...kafka.Record) error
	Offsets(ctx context.Context, topic string) (map[int]kafka.OffsetRange, error)
	Committed(ctx context.Context, group, topic string) (map[int]int64, error)
}

// Objects keeps what is too large for a record, and the marks of what was submitted.
type Objects interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
}

// Feeder feeds. Its fields must not be changed once it is in use; safe for concurrent use.
type Feeder struct {
	Log     Log
	Objects Objects
	Group   string        // the workers' consumer group
	Depth   int64         // items of canvas.work that may wait, live ones counted; at least 1
	Poll    time.Duration // between two looks at what waits

	mu   sync.Mutex
	room int64 // items that may go before the next look
}

// Put appends an item: work as soon as there is room for it, all else at once. It has gone when Put
// returns nil. The same item may be put again where that is not sure: its id is known.
func (f *Feeder) Put(ctx context.Context, i event.Item) error {
	if topic, _ := event.Route(i); topic == event.WorkTopic {
		if err := f.await(ctx); err != nil {
			return err
		}
	}
	if len(i.Data) > event.MaxInline {
		i.Attrs.DataRef = fmt.Sprintf("items/%s/%s", i.Edge, i.ID)
		if err := f.Objects.Put(ctx, i.Attrs.DataRef, i.Data); err != nil {
			return fmt.Errorf("keep the %d bytes of %s: %w", len(i.Data), i.Subject, err)
		}
		i.Data = nil
	}
	if err := f.Log.Append(ctx, kafka.RecordOf(i)); err != nil {
		return fmt.Errorf("submit %s: %w", i.Subject, err)
	}
	return nil
}

// await waits for room, and takes it.
func (f *Feeder) await(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.room == 0 {
		waits, err := f.waiting(ctx)
		if err != nil {
			return err
		}
		if f.room = max(f.Depth-waits, 0); f.room > 0 {
			break
		}
		if err := retry.Sleep(ctx, f.Poll); err != nil {
			return err
		}
	}
	f.room--
	return nil
}

// waiting is how many items no worker has finished.
func (f *Feeder) waiting(ctx context.Context) (n int64, err error) {
	all, err := kafka.ProgressOf(ctx, f.Log, f.Group, event.WorkTopic)
	for _, at := range all {
		n += at.Lag()
	}
	return n, err
}
