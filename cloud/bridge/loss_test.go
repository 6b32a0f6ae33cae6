package bridge_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/soak"
)

// inProcess runs a bridge until the test ends.
func inProcess(t *testing.T, at site) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runBridge(ctx, at, slog.New(slog.NewTextHandler(t.Output(), nil))) }()
	t.Cleanup(func() { cancel(); <-done })
}

// embedded is a Kafka of the test's own.
func embedded(t *testing.T) (*kafka.Client, []string) {
	e, err := kafka.Embed(t.TempDir(), kafka.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return withTopics(t, e.Brokers()), e.Brokers()
}

func withTopics(t *testing.T, brokers []string) *kafka.Client {
	k, err := bridge.DialKafka(kafka.Options{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	if err := k.EnsureTopics(t.Context(), bridge.Topics(2, 1)...); err != nil {
		t.Fatal(err)
	}
	return k
}

// sendFrom lets edges send everything while something happens to the services.
func sendFrom(t *testing.T, each uint64, pace time.Duration, edges []*sender, meanwhile func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for _, e := range edges {
		all.Go(func() {
			if err := e.send(ctx, each, pace); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "some has been received", func() bool { return edges[0].through.Load() >= each/10 })
	meanwhile()
	all.Wait()
}

func senders(t *testing.T, at site, size int, names ...string) (edges []*sender) {
	for _, name := range names {
		edges = append(edges, newSender(t, at, name, size))
	}
	return edges
}

func TestKilledMQTTBrokerThatForgetsLosesNothing(t *testing.T) {
	k, brokers := embedded(t)
	m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
	at := site{mqtt: m.URL, kafka: strings.Join(brokers, ","), store: t.TempDir()}
	inProcess(t, at)
	each := long(2000, 20000)
	edges := senders(t, at, 1<<10, "mast", "vessel")
	sendFrom(t, each, 0, edges, func() {
		m.Kill() // nothing is saved but twice an hour
		m.Restart()
	})
	count(t, k, each, len(edges))
}

func TestKafkaThatIsAwayForSecondsHoldsUpAndLosesNothing(t *testing.T) {
	broker := brokertest.StartOwnKafka(t)
	withTopics(t, broker.Brokers)
	m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
	at := site{mqtt: m.URL, kafka: strings.Join(broker.Brokers, ","), store: t.TempDir()}
	inProcess(t, at)
	each := long(3000, 20000)
	edges := senders(t, at, 1<<10, "mast")
	sendFrom(t, each, 0, edges, func() {
		broker.Kill()
		time.Sleep(time.Duration(long(1, 5)) * time.Second) // how long it is away
		had := edges[0].through.Load()
		broker.Restart(t)
		back := time.Now()
		eventually(t, "something is received again", func() bool { return edges[0].through.Load() > had })
		if wait := time.Since(back); soak.Timed() && wait > 2*time.Second {
			t.Errorf("the first record came %v after Kafka was back", wait)
		} else {
			t.Logf("the first receipt came %v after Kafka was back", wait)
		}
	})
	again, err := bridge.DialKafka(kafka.Options{Brokers: broker.Brokers})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	count(t, again, each, 1)
}

func TestBridgeKilledAtFullSpeedLosesNothing(t *testing.T) {
	for name, pace := range map[string]time.Duration{"FullSpeed": 0, "AtAPace": 250 * time.Microsecond} {
		t.Run(name, func(t *testing.T) {
			k, brokers := embedded(t)
			m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
			at := site{mqtt: m.URL, kafka: strings.Join(brokers, ","), store: t.TempDir()}
			kill := child(t, at)
			each := long(1000, 20000)
			edges := senders(t, at, 1<<10, "mast", "vessel")
			sendFrom(t, each, pace, edges, func() {
				kill()
				child(t, at)
			})
			count(t, k, each, len(edges))
		})
	}
}

func TestSixMebibytesBetweenGoodOnesHoldNothingUp(t *testing.T) {
	k, brokers := embedded(t)
	m := brokertest.StartMosquitto(t, "max_inflight_messages 1000") // and 8 MiB for a message
	at := site{mqtt: m.URL, kafka: strings.Join(brokers, ","), store: t.TempDir()}
	inProcess(t, at)
	s := senders(t, at, 1<<10, "mast")[0]
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := s.send(ctx, 500, 0); err != nil {
		t.Fatal(err)
	}
	poison, topic := bytes.Repeat([]byte("poison"), 1<<20), event.Topic("mast", event.Normal, event.Reading)
	if err := s.client.Publish(ctx, topic, 1, false, poison); err != nil {
		t.Fatal(err)
	}
	if err := s.send(ctx, 1000, 0); err != nil {
		t.Fatal(err)
	}
	var deadLetters []kafka.Record
	dead := func() int {
		deadLetters = nil
		if err := k.Scan(t.Context(), event.DLQTopic, 0, 0, 1<<40, func(r kafka.Record) error { deadLetters = append(deadLetters, r); return nil }); err != nil {
			t.Fatal(err)
		}
		return len(deadLetters)
	}
	eventually(t, "it is in the DLQ", func() bool { return dead() > 0 })
	if n := dead(); n != 1 {
		t.Fatalf("%d dead letters", n)
	}
	l := deadLetters[0]
	if header(l, deadletter.HeadTopic) != topic || header(l, deadletter.HeadException) != "event.ErrTooLarge" || !strings.Contains(header(l, deadletter.HeadReason), "6291456 bytes") {
		t.Errorf("headers %v", l.Headers)
	}
	if data, err := folder(at.store).Get(ctx, header(l, deadletter.HeadQuarantine)); err != nil || !bytes.Equal(data, poison) {
		t.Errorf("quarantined are %d bytes, %v", len(data), err)
	}
	good := map[uint64]int{}
	for p := range 2 {
		if err := k.Scan(t.Context(), event.EventsTopic, p, 0, 1<<40, func(r kafka.Record) error {
			i, err := r.Item()
			good[i.Seq]++
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for seq := uint64(1); seq <= 1000; seq++ {
		if good[seq] != 1 {
			t.Errorf("%d is there %d times", seq, good[seq])
		}
	}
}
