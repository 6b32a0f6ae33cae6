package mosaic

import (
	"context"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Group is the consumer group whose offsets the mosaic commits, so that Kafka's tools show the lag.
const Group = "canvas-mosaic"

// KafkaGroup is the mosaic's Queue and DeadLetters.
func KafkaGroup(log queue.Log) queue.Group {
	return queue.Group{Log: log, Name: Group, Service: "cloudcanvas/cloud/mosaic"}
}

// KafkaProducts is Products over Kafka.
type KafkaProducts struct{ Log queue.Appender }

// Announce writes the product; announcing one again is announcing the same.
func (k KafkaProducts) Announce(ctx context.Context, product event.Item) error {
	return k.Log.Append(ctx, kafka.RecordOf(product))
}

// Retire lets the topic's compaction take what stands under a key.
func (k KafkaProducts) Retire(ctx context.Context, key string) error {
	return k.Log.Append(ctx, kafka.Record{Topic: event.ProductsTopic, Key: []byte(key)})
}
