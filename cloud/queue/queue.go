// Package queue is Kafka as the workers and the mosaic see it: topics of entries with an item in each, how far a
// consumer group is with them, and dead letters for those that can't be worked on.
//
//	topic ─▶ Read ─▶ entries ─▶ the service ─▶ Commit
//	                                    └────▶ Reject ─▶ canvas.dlq
package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Entry is one record of a topic: where it stands, its bytes as they came, and the item in them. Err says that there
// is no readable item in it, an *crashguard.Panic where reading it panicked; Item then holds what could be read.
type Entry struct {
	Topic     string
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []event.Header
	Item      event.Item
	Err       error
	Reason    string // why it is a dead letter, of canvas.dlq
}

// Queue is a topic's partitions, each read in order.
type Queue interface {
	// Committed is the offset of the first entry that is not yet done; 0 where nothing was committed.
	Committed(ctx context.Context, topic string, partition int) (int64, error)
	// Read hands on entries from that offset, in order and following the end, until ctx ends or
	// handle gives an error, which it returns.
	Read(ctx context.Context, topic string, partition int, from int64, handle func([]Entry) error) error
	// Commit records that everything below offset is done.
	Commit(ctx context.Context, topic string, partition int, offset int64) error
}

// DeadLetter is an entry that can't be worked on, and why.
type DeadLetter struct {
	Entry Entry
	Stage string // that it failed in, as Kafka Connect names it
	Class string // the kind of failure, as a class name; letters of before have the same
	Err   error
}

// DeadLetters takes them. One may be given twice.
type DeadLetters interface {
	Reject(ctx context.Context, deadLetters ...DeadLetter) error
}

// Objects is where large data rests. Get's error is fs.ErrNotExist when there is no such object, and
// event.ErrTooLarge when it is larger than may be read; any other error is taken for a store that is away and is
// tried again.
type Objects interface {
	Get(ctx context.Context, ref string) ([]byte, error)
}

// NoObjects is the store of a service that has none.
type NoObjects struct{}

// Get finds nothing.
func (NoObjects) Get(context.Context, string) ([]byte, error) {
	return nil, fmt.Errorf("no object store is configured: %w", fs.ErrNotExist)
}

// Log is the part of *kafka.Client that a Group needs.
type Log interface {
	Appender
	Read(ctx context.Context, topic string, partition int, from int64, handle func([]kafka.Record) error) error
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
	Partitions(ctx context.Context, topic string) (int, error)
	Committed(ctx context.Context, group, topic string) (map[int]int64, error)
	Commit(ctx context.Context, group, topic string, partition int, offset int64) error
}

// Appender writes records.
type Appender interface {
	Append(ctx context.Context, records ...kafka.Record) error
}

// Group is Kafka to one consumer group: its Queue and its DeadLetters.
type Group struct {
	Log     Log
	Name    string // the group's; dead letters say it as their connector
	Service string // the package that works on entries, which dead letters name
}

var (
	_ Queue       = Group{}
	_ DeadLetters = Group{}
)

// Partitions is how many a topic has.
func (g Group) Partitions(ctx context.Context, topic string) (int, error) {
	return g.Log.Partitions(ctx, topic)
}

// Committed is 0 for a partition that was never committed.
func (g Group) Committed(ctx context.Context, topic string, partition int) (int64, error) {
	offsets, err := g.Log.Committed(ctx, g.Name, topic)
	return offsets[partition], err
}

// Commit records what is done.
func (g Group) Commit(ctx context.Context, topic string, partition int, offset int64) error {
	return g.Log.Commit(ctx, g.Name, topic, partition, offset)
}

// Read hands on the records of a partition with the items in them.
func (g Group) Read(ctx context.Context, topic string, partition int, from int64, handle func([]Entry) error) error {
	return g.Log.Read(ctx, topic, partition, from, func(records []kafka.Record) error {
		entries := make([]Entry, len(records))
		for n, r := range records {
			entries[n] = entryOf(r)
		}
		return handle(entries)
	})
}

// Scan hands on all that a partition holds now.
func (g Group) Scan(ctx context.Context, topic string, partition int, handle func(Entry) error) error {
	return g.Log.Scan(ctx, topic, partition, 0, math.MaxInt64, func(r kafka.Record) error { return handle(entryOf(r)) })
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

// Reject writes dead letters: the records as they came, with the reason in their headers.
func (g Group) Reject(ctx context.Context, deadLetters ...DeadLetter) error {
	records := make([]kafka.Record, len(deadLetters))
	for n, l := range deadLetters {
		why := deadletter.Cause{
			Topic: l.Entry.Topic, Partition: l.Entry.Partition, Offset: l.Entry.Offset, Connector: g.Name,
			Stage: l.Stage, Class: g.Service, Exception: l.Class, Reason: l.Err.Error(),
		}
		records[n] = kafka.Record{Topic: event.DLQTopic, Key: l.Entry.Key, Value: l.Entry.Value, Headers: append(slices.Clone(l.Entry.Headers), why.Headers()...)}
	}
	return Append(ctx, g.Log, records)
}

// Append writes records, and again those that Kafka has not confirmed. An outcome that is unknown is
// written again too: results have derived ids, by which readers know them.
func Append(ctx context.Context, log Appender, records []kafka.Record) error {
	for {
		err := log.Append(ctx, records...)
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
