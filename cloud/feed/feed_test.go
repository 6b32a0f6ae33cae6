package feed

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// log is Kafka with one partition, of which a worker does an item when it is told to.
type log struct {
	mu         sync.Mutex
	records    []kafka.Record
	done, most int64
	live       int64 // items of others
	looked     chan struct{}
	err        error
}

func (l *log) Append(_ context.Context, records ...kafka.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, records...)
	l.most = max(l.most, l.work()+l.live-l.done)
	return l.err
}

func (l *log) work() (n int64) {
	for _, r := range l.records {
		if r.Topic == event.WorkTopic {
			n++
		}
	}
	return n
}

func (l *log) Offsets(context.Context, string) (map[int]kafka.OffsetRange, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return map[int]kafka.OffsetRange{0: {End: l.work() + l.live}}, l.err
}

func (l *log) Committed(context.Context, string, string) (map[int]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.looked <- struct{}{}:
	default:
	}
	return map[int]int64{0: l.done}, nil
}

func newFeeder(t *testing.T, l *log) *Feeder {
	t.Helper()
	objects, err := store.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { objects.Close() })
	return &Feeder{Log: l, Objects: objects, Group: "workers", Depth: 4, Poll: time.Millisecond}
}

func tile(m Mark, n int, bytes int) event.Item {
	data := make([]byte, bytes)
	return event.Item{ID: m.ID(m.Key() + string(rune('a'+n))), Edge: "submit", Kind: event.Tile, Stream: "s", Subject: "s/0_0", Attrs: event.Attrs{Want: "segment", Scene: "s", Tile: "0_0"},
		Time: m.Began, SHA256: event.Sum(data), Data: data}
}

func TestNoMoreThanAFewWaitBeforeTheWorkers(t *testing.T) {
	l := &log{looked: make(chan struct{})}
	f := newFeeder(t, l)
	m, err := f.Begin(t.Context(), "submit", "a.tif", [32]byte{1}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for n := range 20 {
			if err := f.Put(t.Context(), tile(m, n, 10)); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	for {
		select {
		case err := <-ended:
			if err != nil || l.work() != 20 || l.most > 4 {
				t.Fatalf("%v; %d items, at most %d waited", err, l.work(), l.most)
			}
			return
		case <-l.looked: // a worker does one item each time somebody looks
			l.mu.Lock()
			l.done = min(l.done+1, l.work())
			l.mu.Unlock()
		}
	}
}

func TestStoredWorkWaitsWhileLiveWorkDoes(t *testing.T) {
	l := &log{live: 100, looked: make(chan struct{})}
	f := newFeeder(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Put(ctx, tile(Mark{}, 0, 10)) }()
	for range 5 {
		<-l.looked
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || len(l.records) != 0 {
		t.Errorf("%v, %d records", err, len(l.records))
	}
	manifest := tile(Mark{}, 0, 10)
	manifest.Kind = event.Scene
	if err := f.Put(t.Context(), manifest); err != nil || len(l.records) != 1 {
		t.Errorf("what no worker sees waits too: %v", err)
	}
}

func TestLargeDataRestsInTheStore(t *testing.T) {
	l := &log{looked: make(chan struct{})}
	f := newFeeder(t, l)
	i := tile(Mark{Began: time.Now()}, 0, event.MaxInline+1)
	if err := f.Put(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	got, err := l.records[0].Item()
	if err != nil || got.Attrs.DataRef == "" || len(got.Data) != 0 || got.SHA256 != i.SHA256 {
		t.Fatalf("%v: %+v", err, got.Attrs)
	}
	if data, err := f.Objects.Get(t.Context(), got.Attrs.DataRef, 1<<20); err != nil || event.Sum(data) != i.SHA256 {
		t.Error(err)
	}
}

func TestAFileIsSubmittedOnceUnderTheIdsItBeganWith(t *testing.T) {
	f := newFeeder(t, &log{looked: make(chan struct{})})
	first := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	begin := func(by, name string, sum byte, at time.Time) Mark {
		t.Helper()
		m, err := f.Begin(t.Context(), by, name, [32]byte{sum}, at)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := begin("submit", "a.tif", 1, first)
	again := begin("submit", "a.tif", 1, first.Add(time.Hour))
	if !again.Done.IsZero() || again.ID("x") != m.ID("x") || again.Key() != m.Key() || m.ID("x") == m.ID("y") {
		t.Errorf("%+v, then %+v", m, again)
	}
	if err := f.Finish(t.Context(), again, 9, first.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if m := begin("submit", "a.tif", 1, first); m.Done.IsZero() || m.Items != 9 {
		t.Errorf("it is not known that it was submitted: %+v", m)
	}
	for _, other := range []Mark{begin("other", "a.tif", 1, first), begin("submit", "b.tif", 1, first), begin("submit", "a.tif", 2, first)} {
		if !other.Done.IsZero() || other.ID("x") == m.ID("x") && other.Key() == m.Key() {
			t.Errorf("taken for the same: %+v", other)
		}
	}
}

func TestAnAbsentKafkaIsTold(t *testing.T) {
	f := newFeeder(t, &log{looked: make(chan struct{}), err: errors.New("no broker")})
	if err := f.Put(t.Context(), tile(Mark{}, 0, 10)); err == nil {
		t.Error("it went nowhere")
	}
}
