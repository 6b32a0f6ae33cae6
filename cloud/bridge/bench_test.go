package bridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/broker/brokertest"
	"cloudcanvas/shared/event"
)

// BenchmarkBridge measures mosquitto → bridge → Kafka until the last receipt, and its ratio to plain
// mosquitto publish → subscribe of the same messages in the same run. Publishers, brokers and bridge
// share the machine. Run with -benchtime=20000x (1KiB) or 2000x (100KiB).
func BenchmarkBridge(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) { benchmark(b, size) })
	}
}

func benchmark(b *testing.B, size int) {
	k := brokertest.StartKafka(b)
	m := brokertest.StartMosquitto(b, "max_inflight_messages 1000")
	at := site{m.URL, strings.Join(k.Brokers, ","), b.TempDir()}
	client, err := bridge.DialKafka(broker.KafkaOptions{Brokers: k.Brokers})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(b.Context(), bridge.Topics(4, 1)...); err != nil {
		b.Fatal(err)
	}
	plain := plainRate(b, at, size)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- runBridge(ctx, at, slog.New(slog.DiscardHandler)) }()
	defer func() { cancel(); <-done }()
	e := newEdge(b, at, fmt.Sprintf("bench-%d-%d", size, time.Now().UnixNano()))
	e.greet(b)
	b.SetBytes(int64(size))
	b.ResetTimer()
	publishAll(b, e, size, b.N+1, 2)
	e.await(b, uint64(b.N+1))
	b.StopTimer()
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "msg/s")
	b.ReportMetric(rate/plain, "ofPlain")
}

// publishers is how many publishes are under way at a time.
const publishers = 64

// publishAll publishes items from … to as fast as the broker takes them.
func publishAll(b *testing.B, e *edge, size, to, from int) {
	payload := func(seq int) []byte {
		i := item(e.name, uint64(seq), event.Reading, make([]byte, size))
		bytes, err := i.MarshalMQTT()
		if err != nil {
			b.Error(err)
		}
		return bytes
	}
	next := make(chan int, publishers)
	var all sync.WaitGroup
	for range publishers {
		all.Go(func() {
			for seq := range next {
				if err := e.client.Publish(b.Context(), event.Topic(e.name, event.Normal, event.Reading), 1, false, payload(seq)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for seq := from; seq <= to; seq++ {
		next <- seq
	}
	close(next)
	all.Wait()
}

// plainRate is messages a second from publish to a subscriber that only counts.
func plainRate(b *testing.B, at site, size int) float64 {
	n := 20000
	if size > 10<<10 {
		n = 2000
	}
	sub, err := broker.DialMQTT(b.Context(), broker.MQTTOptions{URL: at.mqtt, ClientID: "plain", Persistent: false})
	if err != nil {
		b.Fatal(err)
	}
	defer sub.Close()
	came := make(chan struct{}, 1)
	count, all := 0, make(chan struct{})
	sub.Subscribe(event.UpFilter, 1, func(broker.Message) {
		if count++; count == 1 {
			came <- struct{}{}
		} else if count == n {
			close(all)
		}
	})
	e := newEdge(b, at, "plain-edge")
	eventually(b, "the subscription stands", func() bool {
		e.publish(b, reading(e.name, 1))
		select {
		case <-came:
			return true
		case <-time.After(20 * time.Millisecond):
			return false
		}
	})
	began := time.Now()
	publishAll(b, e, size, n+5, 2)
	select {
	case <-all:
	case <-time.After(30 * time.Second):
		b.Fatal("the plain subscriber got no more")
	}
	return float64(n) / time.Since(began).Seconds()
}
