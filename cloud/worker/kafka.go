package worker

import (
	"context"
	"errors"
	"fmt"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Group is the consumer group whose offsets the workers commit, so that Kafka's tools show the lag.
const Group = "canvas-worker"

// fenceHeader bears the epoch of the lease under which a result was made, memberHeader who had it.
const (
	fenceHeader  = "canvas_lease"
	memberHeader = "canvas_worker"
)

// Log is the part of *kafka.Client that a worker needs.
type Log interface {
	Append(ctx context.Context, records ...kafka.Record) error
	Read(ctx context.Context, topic string, partition int, from int64, handle func([]kafka.Record) error) error
	Committed(ctx context.Context, group, topic string) (map[int]int64, error)
	Commit(ctx context.Context, group, topic string, partition int, offset int64) error
}

// Keeper takes large data into the object store.
type Keeper interface {
	Put(ctx context.Context, ref string, data []byte) error
}

// Kafka is the worker's Queue, Results and Dead over a Kafka log.
type Kafka struct {
	Log    Log
	Keep   Keeper // may be nil when no result is over 512 KiB
	Member string // this worker's id; empty: results don't name it
}

var (
	_ Queue   = Kafka{}
	_ Results = Kafka{}
	_ Dead    = Kafka{}
)

// Committed is 0 for a partition that was never committed.
func (k Kafka) Committed(ctx context.Context, partition int) (int64, error) {
	offsets, err := k.Log.Committed(ctx, Group, event.WorkTopic)
	return offsets[partition], err
}

// Commit records what is done.
func (k Kafka) Commit(ctx context.Context, partition int, offset int64) error {
	return k.Log.Commit(ctx, Group, event.WorkTopic, partition, offset)
}

// Read hands on the records of a partition with the items in them.
func (k Kafka) Read(ctx context.Context, partition int, from int64, handle func([]Entry) error) error {
	return k.Log.Read(ctx, event.WorkTopic, partition, from, func(records []kafka.Record) error {
		entries := make([]Entry, len(records))
		for n, r := range records {
			entries[n] = Entry{Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Headers: r.Headers}
			entries[n].Item, entries[n].Err = r.Item()
		}
		return handle(entries)
	})
}

// Append writes results with the epoch of the lease in a header.
func (k Kafka) Append(ctx context.Context, fence coord.Epoch, items ...event.Item) error {
	records := make([]kafka.Record, len(items))
	for n, i := range items {
		if len(i.Data) > event.MaxInline {
			if k.Keep == nil {
				return fmt.Errorf("a result of %d bytes needs an object store; configure one", len(i.Data))
			}
			i.Attrs.DataRef = "results/" + i.ID.String()
			if err := k.Keep.Put(ctx, i.Attrs.DataRef, i.Data); err != nil {
				return fmt.Errorf("keeping a result of %d bytes: %w", len(i.Data), err)
			}
			i.Data = nil
		}
		records[n] = kafka.RecordOf(i)
		records[n].Headers = append(records[n].Headers, event.Header{Key: fenceHeader, Value: fmt.Append(nil, int64(fence))})
		if k.Member != "" {
			records[n].Headers = append(records[n].Headers, event.Header{Key: memberHeader, Value: []byte(k.Member)})
		}
	}
	return k.append(ctx, records)
}

// Bury writes dead letters.
func (k Kafka) Bury(ctx context.Context, letters ...Letter) error {
	records := make([]kafka.Record, len(letters))
	for n, l := range letters {
		records[n] = kafka.Record{Topic: event.DLQTopic, Key: l.Key, Value: l.Value, Headers: l.Headers}
	}
	return k.append(ctx, records)
}

// append writes again what Kafka has not confirmed, and nothing else. An outcome that is unknown is
// written again too: results have derived ids, by which readers know them.
func (k Kafka) append(ctx context.Context, records []kafka.Record) error {
	for {
		err := k.Log.Append(ctx, records...)
		var failed *kafka.AppendError
		if !errors.As(err, &failed) {
			return err
		}
		var rest []kafka.Record
		for n, o := range failed.Outcomes {
			if o != kafka.Confirmed {
				rest = append(rest, records[n])
			}
		}
		if ctx.Err() != nil || len(rest) == len(records) {
			return err
		}
		records = rest
	}
}
