package console

import (
	"context"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// Log is what the console needs of Kafka; *kafka.Client has it.
type Log interface {
	index.Log
	Committed(ctx context.Context, group, topic string) (map[int]int64, error)
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
	Append(ctx context.Context, records ...kafka.Record) error
}

// Statuses is where edges say, retained, that they are there; *mqtt.Client has it.
type Statuses interface {
	Subscribe(filter string, qos byte, handle func(mqtt.Message))
}
