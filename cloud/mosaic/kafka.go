package mosaic

import (
	"context"
	"math"
	"slices"

	"cloudcanvas/shared/crashguard"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Group is the consumer group whose offsets the mosaic commits, so that Kafka's tools show the lag.
const Group = "canvas-mosaic"

// Log is the part of *kafka.Client that a mosaic needs.
type Log interface {
	Append(ctx context.Context, records ...kafka.Record) error
	Read(ctx context.Context, topic string, partition int, from int64, handle func([]kafka.Record) error) error
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
	Partitions(ctx context.Context, topic string) (int, error)
	Committed(ctx context.Context, group, topic string) (map[int]int64, error)
	Commit(ctx context.Context, group, topic string, partition int, offset int64) error
}

// Kafka is the mosaic's Queue and Products over a Kafka log.
type Kafka struct{ Log Log }

var (
	_ Queue    = Kafka{}
	_ Products = Kafka{}
	_ Dead     = Kafka{}
)

// Partitions is how many a topic has.
func (k Kafka) Partitions(ctx context.Context, topic string) (int, error) {
	return k.Log.Partitions(ctx, topic)
}

// Committed is 0 for a partition that was never committed.
func (k Kafka) Committed(ctx context.Context, topic string, partition int) (int64, error) {
	offsets, err := k.Log.Committed(ctx, Group, topic)
	return offsets[partition], err
}

// Commit records what need not be read again.
func (k Kafka) Commit(ctx context.Context, topic string, partition int, offset int64) error {
	return k.Log.Commit(ctx, Group, topic, partition, offset)
}

// Read hands on the records of a partition with the items in them.
func (k Kafka) Read(ctx context.Context, topic string, partition int, from int64, handle func([]Entry) error) error {
	return k.Log.Read(ctx, topic, partition, from, func(records []kafka.Record) error {
		entries := make([]Entry, len(records))
		for n, r := range records {
			entries[n] = entryOf(r)
		}
		return handle(entries)
	})
}

// Scan hands on all that a partition holds now.
func (k Kafka) Scan(ctx context.Context, topic string, partition int, handle func(Entry) error) error {
	return k.Log.Scan(ctx, topic, partition, 0, math.MaxInt64, func(r kafka.Record) error { return handle(entryOf(r)) })
}

// entryOf reads a record's item. Foreign headers, as of dead letters, are no fault.
func entryOf(r kafka.Record) Entry {
	e := Entry{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Headers: r.Headers}
	if err := crashguard.Shield(func() error { e.Item, e.Err = r.Item(); return nil }); err != nil {
		e.Err = err
	}
	e.Reason = deadletter.Header(r.Headers, deadletter.HeadReason)
	return e
}

// Bury writes a dead letter: the record as it came, with the reason in its headers.
func (k Kafka) Bury(ctx context.Context, e Entry, class string, reason error) error {
	why := deadletter.Cause{
		Topic: e.Topic, Partition: e.Partition, Offset: e.Offset, Connector: "canvas-mosaic",
		Stage: deadletter.StageTransform, Class: "cloudcanvas/cloud/mosaic", Exception: "cloudcanvas.mosaic." + class, Reason: reason.Error(),
	}
	value := e.Value
	if value == nil {
		value = []byte{}
	}
	return k.Log.Append(ctx, kafka.Record{Topic: event.DLQTopic, Key: e.Key, Value: value, Headers: append(slices.Clone(e.Headers), why.Headers()...)})
}

// Announce writes the product; announcing one again is announcing the same.
func (k Kafka) Announce(ctx context.Context, product event.Item) error {
	return k.Log.Append(ctx, kafka.RecordOf(product))
}

// Retire lets the topic's compaction take what stands under a key.
func (k Kafka) Retire(ctx context.Context, key string) error {
	return k.Log.Append(ctx, kafka.Record{Topic: event.ProductsTopic, Key: []byte(key)})
}
