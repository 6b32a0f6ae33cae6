package worker

import (
	"context"
	"fmt"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Group is the consumer group whose offsets the workers commit, so that Kafka's tools show the lag.
const Group = "canvas-worker"

// KafkaGroup is the workers' Queue and DeadLetters.
func KafkaGroup(log queue.Log) queue.Group {
	return queue.Group{Log: log, Name: Group, Service: "cloudcanvas/cloud/worker"}
}

// fenceHeader bears the epoch of the lease under which a result was made, memberHeader who had it.
const (
	fenceHeader  = "canvas_lease"
	memberHeader = "canvas_worker"
)

// Keeper takes large data into the object store.
type Keeper interface {
	Put(ctx context.Context, ref string, data []byte) error
}

// KafkaResults is Results over Kafka.
type KafkaResults struct {
	Log    queue.Appender
	Keep   Keeper // may be nil when no result is over 512 KiB
	Member string // this worker's id; empty: results don't name it
}

// Append writes results with the epoch of the lease in a header.
func (k KafkaResults) Append(ctx context.Context, fence coord.Epoch, items ...event.Item) error {
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
	return queue.Append(ctx, k.Log, records)
}
