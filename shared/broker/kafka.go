package broker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/security"
)

// KafkaOptions say to which brokers and how.
type KafkaOptions struct {
	Brokers  []string // host:port, some of the cluster's
	Security security.Security
	Log      *slog.Logger
	MaxBytes int64 // of one record and of one batch; default 1,000,000, below the broker's own limit
}

// Record is one that is read or to be written.
type Record struct {
	Topic     string
	Partition int   // of records read; when writing, the key decides
	Offset    int64 // of records read
	Key       []byte
	Value     []byte // nil deletes the key on a compacted topic
	Headers   []event.Header
	Time      time.Time
}

// OffsetRange is what a partition holds: First is the oldest record's offset, End the next one's.
type OffsetRange struct{ First, End int64 }

// Topic is how a topic should be.
type Topic struct {
	Name       string
	Partitions int
	Replicas   int               // 0: the broker's default
	Config     map[string]string // cleanup.policy, max.message.bytes, …
}

// Outcome is what became of a record in an Append that failed.
type Outcome int

const (
	Confirmed Outcome = iota // Kafka has it
	Refused                  // Kafka does not have it, and never will from this call
	Unknown                  // it may be there, or may yet come
)

func (o Outcome) String() string { return [...]string{"confirmed", "refused", "unknown"}[o] }

// AppendError says what became of each record of an Append, in their order.
type AppendError struct {
	Outcomes []Outcome
	Errs     []error // nil where confirmed
}

// Error says how many failed and why the first did.
func (e *AppendError) Error() string {
	var n [3]int
	var first error
	for i, o := range e.Outcomes {
		n[o]++
		if first == nil {
			first = e.Errs[i]
		}
	}
	return fmt.Sprintf("appending %d records to Kafka: %d confirmed, %d refused, %d unknown: %v", len(e.Outcomes), n[Confirmed], n[Refused], n[Unknown], first)
}

// Unwrap gives the records' errors.
func (e *AppendError) Unwrap() []error {
	var errs []error
	for _, err := range e.Errs {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Kafka is a client of one cluster, safe for concurrent use.
type Kafka struct{}

// DialKafka makes the client. It connects when first used; only unusable options are an error.
func DialKafka(o KafkaOptions) (*Kafka, error) { return &Kafka{}, nil }

// Append writes records and returns nil once all in-sync replicas have every one of them. Any other
// end is an *AppendError. It tries again only what was surely not written.
func (k *Kafka) Append(ctx context.Context, records ...Record) error { return nil }

// Read follows a partition from an offset until ctx ends or handle fails, and hands on what it gets in batches.
func (k *Kafka) Read(ctx context.Context, topic string, partition int, from int64, handle func([]Record) error) error {
	return nil
}

// Scan reads the records with offsets from ≤ offset < to, then returns nil.
func (k *Kafka) Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(Record) error) error {
	return nil
}

// Offsets is what each partition of a topic holds now.
func (k *Kafka) Offsets(ctx context.Context, topic string) (map[int]OffsetRange, error) {
	return nil, nil
}

// Committed is the next offset each partition's readers of that group have to read. Partitions that
// were never committed are missing.
func (k *Kafka) Committed(ctx context.Context, group, topic string) (map[int]int64, error) {
	return nil, nil
}

// Commit records that the group has finished everything before offset.
func (k *Kafka) Commit(ctx context.Context, group, topic string, partition int, offset int64) error {
	return nil
}

// EnsureTopics makes topics that are missing. Those that are there stay as they are.
func (k *Kafka) EnsureTopics(ctx context.Context, topics ...Topic) error { return nil }

// Partitions is how many partitions a topic has.
func (k *Kafka) Partitions(ctx context.Context, topic string) (int, error) { return 0, nil }

// Close ends the client's connections.
func (k *Kafka) Close() {}
