package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Log is the part of *kafka.Client that dead letters need.
type Log interface {
	Offsets(ctx context.Context, topic string) (map[int]kafka.OffsetRange, error)
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
	Append(ctx context.Context, records ...kafka.Record) error
}

// ErrNone says that there is no such dead letter.
var ErrNone = errors.New("there is no such dead letter")

// Listing is the newest dead letters, oldest first, and how many there are in all.
type Listing struct {
	Entries []Entry `json:"letters"`
	Total   int64   `json:"total"`
}

// List reads at most limit dead letters, the newest. It keeps what is worth knowing, not their values.
func List(ctx context.Context, log Log, limit int) (l Listing, err error) {
	ranges, err := log.Offsets(ctx, event.DLQTopic)
	if err != nil {
		return l, err
	}
	for partition, r := range ranges {
		l.Total += r.End - r.First
		err := log.Scan(ctx, event.DLQTopic, partition, max(r.First, r.End-int64(limit)), r.End, func(r kafka.Record) error {
			l.Entries = append(l.Entries, Describe(r))
			return nil
		})
		if err != nil {
			return l, err
		}
	}
	slices.SortFunc(l.Entries, func(a, b Entry) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Place.Partition, b.Place.Partition), cmp.Compare(a.Place.Offset, b.Place.Offset))
	})
	l.Entries = l.Entries[max(0, len(l.Entries)-limit):]
	return l, nil
}

// Read is one dead letter with all that is in it.
func Read(ctx context.Context, log Log, at Place) (record kafka.Record, err error) {
	found := false
	err = log.Scan(ctx, event.DLQTopic, at.Partition, at.Offset, at.Offset+1, func(r kafka.Record) error {
		record, found = r, true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("reading %s: %w: `dlq ls` shows those that are kept", at, ErrNone)
	}
	return record, err
}
