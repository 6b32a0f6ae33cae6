package console

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cloudcanvas/cloud/console/live"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// fakeLog is a Kafka in memory with one partition a topic. It can be away, and it can be another.
type fakeLog struct {
	mu      sync.Mutex
	topics  map[string][]kafka.Record
	away    bool
	full    bool // takes nothing
	changed chan struct{}
}

func newFakeLog() *fakeLog {
	return &fakeLog{topics: map[string][]kafka.Record{}, changed: make(chan struct{})}
}

func (l *fakeLog) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *fakeLog) setAway(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
	l.wake()
}

func (l *fakeLog) setFull(full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = full
}

func (l *fakeLog) Partitions(context.Context, string) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return 0, errAway
	}
	return 1, nil
}

func (l *fakeLog) Offsets(_ context.Context, topic string) (map[int]kafka.OffsetRange, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return nil, errAway
	}
	return map[int]kafka.OffsetRange{0: {First: 0, End: int64(len(l.topics[topic]))}}, nil
}

func (l *fakeLog) Committed(context.Context, string, string) (map[int]int64, error) { return nil, nil }

func (l *fakeLog) Append(_ context.Context, records ...kafka.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away || l.full {
		return errAway
	}
	for _, r := range records {
		r.Offset, r.Partition = int64(len(l.topics[r.Topic])), 0
		if r.Time.IsZero() {
			r.Time = time.Now()
		}
		l.topics[r.Topic] = append(l.topics[r.Topic], r)
	}
	l.wake()
	return nil
}

func (l *fakeLog) Read(ctx context.Context, topic string, _ int, from int64, handle func([]kafka.Record) error) error {
	for {
		l.mu.Lock()
		all, changed, away := l.topics[topic], l.changed, l.away
		l.mu.Unlock()
		if from > int64(len(all)) {
			return fmt.Errorf("reading %s: %w", topic, kafka.ErrOffsetAhead)
		}
		if !away && from < int64(len(all)) {
			if err := handle(all[from:min(from+500, int64(len(all)))]); err != nil {
				return err
			}
			from = min(from+500, int64(len(all)))
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *fakeLog) Scan(_ context.Context, topic string, _ int, from, to int64, handle func(kafka.Record) error) error {
	l.mu.Lock()
	all, away := l.topics[topic], l.away
	l.mu.Unlock()
	if away {
		return errAway
	}
	for o := max(from, 0); o < min(to, int64(len(all))); o++ {
		if err := handle(all[o]); err != nil {
			return err
		}
	}
	return nil
}

// fakeGroup is one worker who owns one partition.
type fakeGroup struct{}

func (fakeGroup) Workers(context.Context) ([]live.Worker, error) {
	return []live.Worker{{ID: "worker-1", Host: "gpu-1", Accelerator: "NVIDIA T4", MemoryBytes: 16 << 30, Rates: map[string]float64{"ukis": 12.5}}}, nil
}

func (fakeGroup) Owners(context.Context) (map[string]string, error) {
	return map[string]string{event.WorkTopic + "-0": "worker-1"}, nil
}

type fakeDevice struct{}

func (fakeDevice) Outbox() live.Outbox {
	return live.Outbox{Edge: "mast-7", Committed: 40, Received: 38, Waiting: 2, Bytes: 4096, Oldest: time.Now()}
}

func (fakeDevice) Link(context.Context) (event.LinkReport, error) {
	now := time.Now().UTC()
	return event.LinkReport{Time: now, Waiting: 2, Bytes: 4096, Oldest: now.Add(-time.Minute), Open: true, BytesPerSecond: 250_000,
		Ladder: []event.LadderStep{{Priority: event.Urgent, Rung: event.RungAlert, Items: 1, Bytes: 96, Oldest: now}, {Priority: event.Normal, Rung: event.RungTile, Items: 1, Bytes: 4000, Oldest: now.Add(-time.Minute)}},
		Past:   []event.ContactWindow{{From: now.Add(-5 * time.Hour), To: now.Add(-4 * time.Hour)}},
		Coming: []event.ContactWindow{{From: now.Add(-time.Minute), To: now.Add(9 * time.Minute), BytesPerSecond: 250_000}, {From: now.Add(6 * time.Hour), To: now.Add(7 * time.Hour)}},
		Next:   []event.NextItem{{Seq: 40, Kind: event.Tile, Stream: "alpha", Subject: "alpha/1_0", Priority: event.Normal, Rung: event.RungTile, Bytes: 4000, Sent: 1, Parts: 3, Why: "it has begun"}}}, nil
}

func (fakeDevice) Engines() []live.Engine {
	return []live.Engine{{Model: "ukis", Engine: "onnxruntime-cpu", Device: "CPU", Golden: "match", Ms: 27}}
}

// list is how the API answers with many things, object any JSON object.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

type object = map[string]any
