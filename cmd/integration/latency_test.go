package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// BenchmarkLatency is the time from an item's publication to its result in Kafka, through mosquitto,
// a bridge and a worker with yolox_nano, at shares of the rate that the same chain reached just before.
func BenchmarkLatency(b *testing.B) {
	picture, err := os.ReadFile(clip(b, filepath.Join(b.TempDir(), "crop.jpg"), 1))
	if err != nil {
		b.Fatal(err)
	}
	models := filepath.Dir(asset(b, "models/yolox_nano.onnx"))
	f := newFleet(b, startBrokers(b))
	f.sees(b, models, "models: [{want: detect, model: yolox_nano}]")
	f.cloud(b, "bridge", "bridge-1")
	f.cloud(b, "worker", "worker-1")
	l := newLoad(b, f, picture)
	l.publish(8, 0) // the worker has loaded its network
	for b.Loop() {
		began := time.Now()
		const backlog = 800
		l.publish(backlog, 0)
		most := backlog / time.Since(began).Seconds()
		b.ReportMetric(most, "items/s")
		for _, share := range []float64{0.1, 0.5, 0.9} {
			took := l.publish(int(share*most*15), share*most)
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, fmt.Sprintf("ms-p50@%.0f%%", 100*share))
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, fmt.Sprintf("ms-p99@%.0f%%", 100*share))
		}
	}
}

// load publishes as one device does, and hears the results.
type load struct {
	b       *testing.B
	client  *mqtt.Client
	picture []byte
	edge    string
	epoch   event.Epoch
	seq     uint64

	mu   sync.Mutex
	took []time.Duration
	more chan struct{}
}

func newLoad(b *testing.B, f *fleet, picture []byte) *load {
	l := &load{b: b, picture: picture, edge: fmt.Sprintf("bench-%d", time.Now().UnixNano()), epoch: event.NewEpoch(), more: make(chan struct{}, 1)}
	var err error
	if l.client, err = mqtt.Dial(b.Context(), mqtt.Options{URL: f.brokers.mqtt, ClientID: l.edge}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(l.client.Close)
	until(b, 2*time.Minute, "a connection", l.client.Connected)
	k := f.kafka(b)
	var from map[int]kafka.OffsetRange
	until(b, 2*time.Minute, "the topic of results", func() bool {
		from, err = k.Offsets(b.Context(), event.ResultsTopic)
		return err == nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	b.Cleanup(func() { cancel(); readers.Wait() })
	for p, o := range from {
		readers.Go(func() {
			k.Read(ctx, event.ResultsTopic, p, o.End, func(records []kafka.Record) error {
				now := time.Now()
				for _, r := range records {
					if i, err := r.Item(); err == nil && i.Edge == l.edge {
						l.heard(now.Sub(i.Time))
					}
				}
				return nil
			})
		})
	}
	return l
}

func (l *load) heard(took time.Duration) {
	l.mu.Lock()
	l.took = append(l.took, took)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// publish sends n items at a rate, 0 for as fast as they are taken, and gives what each took.
func (l *load) publish(n int, rate float64) []time.Duration {
	l.b.Helper()
	l.took = make([]time.Duration, 0, n)
	began := time.Now()
	var sent sync.WaitGroup
	slots := make(chan struct{}, 64)
	for at := range n {
		if rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64(at) / rate * float64(time.Second)))))
		}
		l.seq++
		now := time.Now().UTC()
		i := event.Item{ID: event.NewID(now), Edge: l.edge, Epoch: l.epoch, Seq: l.seq, Kind: event.Crop, Stream: fmt.Sprintf("camera-%d", at%16),
			Subject: fmt.Sprintf("camera-%d/%d", at%16, l.seq), Time: now, Priority: event.Normal, Attrs: event.Attrs{Want: "detect"},
			Type: "image/jpeg", SHA256: event.Sum(l.picture), Data: l.picture}
		payload, err := i.MarshalMQTT()
		if err != nil {
			l.b.Fatal(err)
		}
		slots <- struct{}{}
		sent.Go(func() {
			defer func() { <-slots }()
			if err := l.client.Publish(l.b.Context(), event.Topic(l.edge, i.Priority, i.Kind), 1, false, payload); err != nil {
				l.b.Error(err)
			}
		})
	}
	sent.Wait()
	deadline := time.After(2 * time.Minute)
	for {
		l.mu.Lock()
		have := len(l.took)
		l.mu.Unlock()
		if have >= n {
			return l.took
		}
		select {
		case <-l.more:
		case <-deadline:
			l.b.Fatalf("%d results of %d", have, n)
		}
	}
}
