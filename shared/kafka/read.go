package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// How much a fetch may bring and how long it may wait for something to come.
const (
	fetchBytes = 4 << 20
	fetchWait  = 500 * time.Millisecond
	// A fetch of the log's middle that brings nothing this often has met a gap that compaction left.
	emptyFetches = 3
)

// ErrOffsetAhead says that a read was to begin behind the partition's end: the topic is not the one
// that the offset was taken from.
var ErrOffsetAhead = errors.New("the offset is beyond the partition's end: was the topic made anew? Reset the offset")

var errNoPartition = errors.New("the topic has no such partition")

// Read follows a partition from an offset and hands on what comes, in order and in batches, until
// ctx ends (then it returns ctx's error) or handle fails (then that error). Faults of the cluster
// are waited out. Records that retention has deleted are passed over with a warning.
func (k *Client) Read(ctx context.Context, topic string, partition int, from int64, handle func([]Record) error) error {
	var (
		f   fetched
		err error
	)
	patient := retry.Task{First: 100 * time.Millisecond, Most: 5 * time.Second,
		Final: func(err error) bool { return !transient(err) },
		Tell: func(err error) bool {
			k.log.Warn("reading Kafka is interrupted; this process tries again", "topic", topic, "partition", partition, telemetry.Err, err)
			return true
		},
		Works: func(_ time.Duration, told bool) {
			if told && err == nil {
				k.log.Info("this process reads Kafka again", "topic", topic, "partition", partition, "offset", from)
			}
		}}
	for ctx.Err() == nil {
		failed := patient.Do(ctx, func() error {
			f, err = k.fetch(ctx, topic, partition, from)
			k.options.Step()
			if errors.Is(err, kafka.OffsetOutOfRange) {
				f.next, err = k.resume(ctx, topic, partition, from)
			}
			return err
		})
		if ctx.Err() != nil {
			break
		}
		if failed != nil {
			return failed
		}
		if len(f.records) > 0 {
			if err := handle(f.records); err != nil {
				return err
			}
		}
		from = f.next
	}
	return ctx.Err()
}

// resume is where to go on when from is not in the log: at its beginning, if that has moved on.
func (k *Client) resume(ctx context.Context, topic string, partition int, from int64) (int64, error) {
	ranges, err := k.Offsets(ctx, topic)
	if err != nil {
		return from, err
	}
	r, ok := ranges[partition]
	if !ok {
		return from, fmt.Errorf("reading Kafka topic %s, partition %d: %w", topic, partition, errNoPartition)
	}
	if from > r.End {
		return from, fmt.Errorf("reading Kafka topic %s, partition %d: %w (offset %d, end %d)", topic, partition, ErrOffsetAhead, from, r.End)
	}
	if from < r.First {
		k.log.Warn("retention has deleted records before they were read", "topic", topic, "partition", partition, "deleted", r.First-from)
		return r.First, nil
	}
	return from, nil
}

// Scan reads the records with offsets from ≤ offset < to, as far as the partition reaches when it
// is called, and returns nil when it has handed on the last. Faults are returned, not waited out.
func (k *Client) Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(Record) error) error {
	ranges, err := k.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	r, ok := ranges[partition]
	if !ok {
		return fmt.Errorf("reading Kafka topic %s, partition %d: %w", topic, partition, errNoPartition)
	}
	from, to = max(from, r.First), min(to, r.End)
	for empty := 0; from < to && empty < emptyFetches; {
		f, err := k.fetch(ctx, topic, partition, from)
		if err != nil {
			return err
		}
		if f.next == from {
			empty++
			continue
		}
		empty, from = 0, f.next
		for _, record := range f.records {
			if record.Offset >= to {
				return nil
			}
			if err := handle(record); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// fetched is what one request brought.
type fetched struct {
	records []Record
	next    int64 // the offset to go on at
}

func (k *Client) fetch(ctx context.Context, topic string, partition int, from int64) (fetched, error) {
	f := fetched{next: from}
	response, err := k.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: topic, Partition: partition, Offset: from,
		MinBytes: 1, MaxBytes: max(fetchBytes, 2*k.options.MaxBytes), MaxWait: fetchWait,
	})
	if err == nil {
		err = response.Error
	}
	if err == nil {
		err = f.take(response.Records, from)
	}
	if err != nil {
		return f, fmt.Errorf("reading Kafka topic %s, partition %d, offset %d: %w", topic, partition, from, err)
	}
	for n := range f.records {
		f.records[n].Topic, f.records[n].Partition = topic, partition
	}
	return f, nil
}

// take copies the records out of kafka-go's shared pages. Brokers answer in whole batches, which
// may begin before the offset asked for; control batches (transactions' ends) only move the offset.
func (f *fetched) take(records kafka.RecordReader, from int64) error {
	stream, ok := records.(*protocol.RecordStream)
	if !ok {
		return f.takeBatch(records, from, true)
	}
	for _, batch := range stream.Records {
		_, control := batch.(*protocol.ControlBatch)
		if err := f.takeBatch(batch, from, !control); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetched) takeBatch(batch kafka.RecordReader, from int64, keep bool) error {
	for {
		r, err := batch.ReadRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		key, keyErr := protocol.ReadAll(r.Key)
		value, valueErr := protocol.ReadAll(r.Value)
		closeBytes(r.Key)
		closeBytes(r.Value)
		if err := errors.Join(keyErr, valueErr); err != nil {
			return err
		}
		if r.Offset < from {
			continue
		}
		f.next = max(f.next, r.Offset+1)
		if !keep {
			continue
		}
		record := Record{Offset: r.Offset, Key: key, Value: value, Time: r.Time}
		if len(r.Headers) > 0 {
			record.Headers = make([]event.Header, len(r.Headers))
			for i, h := range r.Headers {
				record.Headers[i] = event.Header(h)
			}
		}
		f.records = append(f.records, record)
	}
}

func closeBytes(b protocol.Bytes) {
	if b != nil {
		b.Close()
	}
}

// transient says whether a fault may go away by itself.
func transient(err error) bool {
	if errors.Is(err, ErrOffsetAhead) || errors.Is(err, errNoPartition) {
		return false
	}
	var code kafka.Error
	if errors.As(err, &code) {
		return code.Temporary()
	}
	return true // the network's
}
