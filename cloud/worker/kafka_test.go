package worker

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// kafkaFor starts an embedded broker with the topics of the worker.
func kafkaFor(t *testing.T, partitions int) *kafka.Client {
	t.Helper()
	b, err := kafka.Embed(t.TempDir(), kafka.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := kafka.Dial(kafka.Options{Brokers: b.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(); b.Close() })
	err = k.EnsureTopics(t.Context(), kafka.Topic{Name: event.WorkTopic, Partitions: partitions},
		kafka.Topic{Name: event.ResultsTopic, Partitions: 2}, kafka.Topic{Name: event.DLQTopic, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// all reads a topic as it is now.
func all(t *testing.T, k *kafka.Client, topic string) (records []kafka.Record) {
	t.Helper()
	ranges, err := k.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		err := k.Scan(t.Context(), topic, p, r.First, r.End, func(r kafka.Record) error {
			records = append(records, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return records
}

func backlog(t *testing.T, k *kafka.Client) (left int64) {
	t.Helper()
	ranges, err := k.Offsets(t.Context(), event.WorkTopic)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := k.Committed(t.Context(), Group, event.WorkTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		left += r.End - committed[p]
	}
	return left
}

func TestTwoWorkersShareKafkaAndOneTakesOverFromTheOther(t *testing.T) {
	const items = 400
	k := kafkaFor(t, 4)
	poison := map[string]bool{}
	var records []kafka.Record
	for n := range items {
		mood := ""
		if n%50 == 7 {
			mood = "undecodable"
		}
		item := tile(n, mood)
		poison[item.ID.String()] = mood != ""
		records = append(records, kafka.RecordOf(item))
	}
	space := local.NewSpace()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer func() { cancel(); running.Wait() }()

	leader := space.Coordinator("leader")
	running.Go(func() {
		assign.Lead(ctx, leader, map[string]int{event.WorkTopic: 4}, assign.DefaultConfig(), slog.New(slog.DiscardHandler), assign.Hooks{})
	})

	w := newWorld() // decodes, and is the model
	half := make(chan struct{})
	var once sync.Once
	run := func(ctx context.Context, name string) {
		c := space.Coordinator(name)
		registry, err := NewRegistry(Config{Models: []Choice{{Want: "segment", Model: "six"}}}, w)
		if err != nil {
			t.Error(err)
			return
		}
		group, out := KafkaGroup(k), KafkaResults{Log: k}
		worker, err := New(Config{BatchItems: 4}, Parts{
			Queue: group, Results: resultsFunc(func(ctx context.Context, fence coord.Epoch, items ...event.Item) error {
				err := out.Append(ctx, fence, items...)
				if backlog(t, k) < halfway {
					once.Do(func() { close(half) })
				}
				return err
			}), Dead: group, Objects: w, Decoder: w, Models: registry, Leases: c, Assignments: Assigned{c, name},
		})
		if err != nil {
			t.Error(err)
			return
		}
		running.Go(func() { c.Join(ctx, coord.Member{ID: name, Role: coord.Worker}) })
		running.Go(func() {
			if err := worker.Run(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			c.Close()
		})
	}
	first, kill := context.WithCancel(ctx)
	defer kill()
	run(first, "a")
	run(ctx, "b")
	if err := k.Append(ctx, records...); err != nil {
		t.Fatal(err)
	}
	<-half
	kill()
	late := time.Now().Add(2 * time.Minute)
	for backlog(t, k) > 0 {
		if time.Now().After(late) {
			t.Fatalf("%d items are left", backlog(t, k))
		}
		time.Sleep(20 * time.Millisecond) // Kafka tells nobody of offsets
	}
	found, dead := map[string]bool{}, map[string]bool{}
	for _, r := range all(t, k, event.ResultsTopic) {
		item, err := r.Item()
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Key) != "mast-1/scene/s1" || !slices.ContainsFunc(r.Headers, func(h event.Header) bool { return h.Key == fenceHeader }) {
			t.Fatalf("result with key %s and headers %v", r.Key, r.Headers)
		}
		found[item.ID.String()] = true
	}
	for _, r := range all(t, k, event.DLQTopic) {
		item, err := r.Item()
		if err != nil {
			t.Fatalf("a dead letter must still be readable: %v", err)
		}
		dead[item.ID.String()] = true
	}
	if len(dead) != 8 || len(found) != items-8 {
		t.Fatalf("%d different results and %d dead letters of %d items", len(found), len(dead), items)
	}
	for id := range dead {
		if !poison[id] {
			t.Fatalf("%s is a dead letter and was no poison", id)
		}
	}
}

const halfway = 200 // half of them

type resultsFunc func(context.Context, coord.Epoch, ...event.Item) error

func (f resultsFunc) Append(ctx context.Context, fence coord.Epoch, items ...event.Item) error {
	return f(ctx, fence, items...)
}

func TestALargeResultRestsInTheObjectStore(t *testing.T) {
	k, kept := &lastLog{}, keeper{}
	big := tile(1, "")
	big.Kind, big.Data = event.Result, make([]byte, event.MaxInline+1)
	big.SHA256 = event.Sum(big.Data)
	if err := (KafkaResults{Log: k}).Append(t.Context(), 1, big); err == nil {
		t.Fatal("without a store it can't be kept")
	}
	if err := (KafkaResults{Log: k, Keep: kept}).Append(t.Context(), 1, big); err != nil {
		t.Fatal(err)
	}
	got, err := k.records[0].Item()
	if err != nil || len(kept[got.Attrs.DataRef]) != event.MaxInline+1 || len(k.records[0].Value) != 0 {
		t.Fatalf("%v, reference %q", err, got.Attrs.DataRef)
	}
}

type lastLog struct {
	queue.Appender
	records []kafka.Record
}

func (l *lastLog) Append(_ context.Context, records ...kafka.Record) error {
	l.records = records
	return nil
}

type keeper map[string][]byte

func (k keeper) Put(_ context.Context, ref string, data []byte) error { k[ref] = data; return nil }
