package kafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
)

// BenchmarkAppend is the bridge's way of writing: batches from one goroutine, acks=all.
func BenchmarkAppend(b *testing.B) {
	embedded, err := Embed(b.TempDir(), EmbedOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer embedded.Close()
	for name, brokers := range map[string][]string{"embedded": embedded.Brokers(), "Kafka": brokertest.StartKafka(b).Brokers} {
		k, err := Dial(Options{Brokers: brokers})
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
