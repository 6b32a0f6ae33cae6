package broker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/broker/brokertest"
)

// BenchmarkPublish is QoS 1 publishing with the uplink's window of 64, PUBACKs awaited.
func BenchmarkPublish(b *testing.B) {
	embedded, err := EmbedMQTT(EmbedMQTTOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer embedded.Close()
	for name, url := range map[string]string{"embedded": embedded.URL(), "mosquitto": brokertest.StartMosquitto(b).URL} {
		for _, size := range []int{1 << 10, 100 << 10} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				up := make(chan struct{}, 1)
				m, err := DialMQTT(b.Context(), MQTTOptions{URL: url, OnUp: func() { up <- struct{}{} }})
				if err != nil {
					b.Fatal(err)
				}
				defer m.Close()
				<-up
				b.SetBytes(int64(size))
				payload := make([]byte, size)
				window := make(chan struct{}, 64)
				var work sync.WaitGroup
				for b.Loop() {
					window <- struct{}{}
					work.Go(func() {
						defer func() { <-window }()
						if err := m.Publish(b.Context(), "bench", 1, false, payload); err != nil {
							b.Error(err)
						}
					})
				}
				work.Wait()
			})
		}
	}
}

// BenchmarkAppend is the bridge's way of writing: batches from one goroutine, acks=all.
func BenchmarkAppend(b *testing.B) {
	embedded, err := EmbedKafka(b.TempDir(), EmbedKafkaOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer embedded.Close()
	for name, brokers := range map[string][]string{"embedded": embedded.Brokers(), "Kafka": brokertest.StartKafka(b).Brokers} {
		k, err := DialKafka(KafkaOptions{Brokers: brokers})
		if err != nil {
			b.Fatal(err)
		}
		defer k.Close()
		topic := fmt.Sprintf("bench.%d", time.Now().UnixNano())
		if err := k.EnsureTopics(context.Background(), Topic{Name: topic, Partitions: 4}); err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct{ size, batch int }{{1 << 10, 200}, {100 << 10, 20}} {
			b.Run(fmt.Sprintf("%s/%dx%dKiB", name, c.batch, c.size>>10), func(b *testing.B) {
				records := make([]Record, c.batch)
				for i := range records {
					records[i] = Record{Topic: topic, Key: fmt.Append(nil, i), Value: make([]byte, c.size)}
				}
				b.SetBytes(int64(c.size * c.batch))
				for b.Loop() {
					if err := k.Append(b.Context(), records...); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
