package bridge_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/broker/brokertest"
)

func TestKilledKafkaLosesNothingAndDoublesNothing(t *testing.T) {
	kafka := brokertest.StartOwnKafka(t)
	m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
	at := site{mqtt: m.URL, kafka: strings.Join(kafka.Brokers, ","), store: t.TempDir()}
	k, err := bridge.DialKafka(broker.KafkaOptions{Brokers: kafka.Brokers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	if err := k.EnsureTopics(t.Context(), bridge.Topics(2, 1)...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runBridge(ctx, at, slog.New(slog.NewTextHandler(t.Output(), nil))) }()
	t.Cleanup(func() { cancel(); <-done })
	e := newEdge(t, at, "mast")
	e.greet(t)
	const each = 3000
	published := make(chan struct{})
	go func() {
		defer close(published)
		for seq := uint64(2); seq <= each; seq++ {
			e.publish(t, reading("mast", seq))
		}
	}()
	e.await(t, each/10)
	kafka.Kill()
	kafka.Restart(t)
	<-published
	e.await(t, each)
	again, err := bridge.DialKafka(broker.KafkaOptions{Brokers: kafka.Brokers})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	count(t, again, each, 1)
}
