package kafka

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func offsetsAt(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 2, nil)
	now := time.Now().Truncate(time.Millisecond)
	w := &kafka.Writer{Addr: kafka.TCP(k.options.Brokers...), Transport: k.transport, Topic: topic, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
	defer w.Close()
	const key = "k"
	for n := range 5 {
		if err := w.WriteMessages(t.Context(), kafka.Message{Key: []byte(key), Value: []byte("x"), Time: now.Add(time.Duration(n-5) * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	with := PartitionOf(key, 2)
	for _, c := range []struct {
		at   time.Time
		want int64
	}{{now.Add(-9 * time.Hour), 0}, {now.Add(-3 * time.Hour), 2}, {now.Add(-150 * time.Minute), 3}, {now, 5}} {
		got, err := k.OffsetsAt(t.Context(), topic, c.at)
		if err != nil || got[with] != c.want || got[1-with] != 0 || len(got) != 2 {
			t.Errorf("%s before now: %v, want %d in partition %d (%v)", now.Sub(c.at), got, c.want, with, err)
		}
	}
}
