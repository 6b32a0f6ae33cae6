package lineage

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/kafka"
)

// span is a part of a topic: what was written from a time on, and before another where there is one;
// only the partition of a key where there is one.
type span struct {
	topic, key string
	from, to   time.Time
}

// readers is how many partitions are read at a time.
const readers = 4

// scan hands on the records of a span, one at a time but of several partitions side by side, until
// handle says errFound, which ends it all. A topic that nobody has made yet is empty.
func (f Finder) scan(ctx context.Context, s span, handle func(kafka.Record) error) error {
	first, err := f.Log.OffsetsAt(ctx, s.topic, s.from)
	if errors.Is(err, kafkago.UnknownTopicOrPartition) {
		return nil
	}
	if err != nil {
		return err
	}
	last := map[int]int64{}
	if !s.to.IsZero() {
		if last, err = f.Log.OffsetsAt(ctx, s.topic, s.to); err != nil {
			return err
		}
	}
	only := -1
	if s.key != "" {
		only = kafka.PartitionOf(s.key, len(first))
	}
	var one sync.Mutex
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for partition, from := range first {
		if only >= 0 && partition != only {
			continue
		}
		to, bounded := last[partition]
		if !bounded {
			to = math.MaxInt64
		}
		group.Go(func() error {
			if reading.Err() != nil {
				return nil
			}
			return f.Log.Scan(reading, s.topic, partition, from, to, func(r kafka.Record) error {
				one.Lock()
				defer one.Unlock()
				err := crashguard.Shield(func() error { return handle(r) })
				var panicked *crashguard.Panic
				if errors.As(err, &panicked) {
					return nil // a record that can't be looked at is none that was looked for
				}
				return err
			})
		})
	}
	if err = group.Wait(); errors.Is(err, errFound) {
		return nil
	}
	return err
}

// errFound ends a scan that has what it looked for.
var errFound = errors.New("found")
