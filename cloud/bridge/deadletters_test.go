package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

func newContext() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

func header(r kafka.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func TestPoisonIsSetAsideOnceAndTheRestFlows(t *testing.T) {
	good := reading("mast", 1)
	spoiled := reading("mast", 3)
	spoiled.SHA256[0]++
	spoiledBytes, _ := reading("mast", 3).MarshalMQTT()
	spoiledBytes = bytes.Replace(spoiledBytes, []byte(`{"n":3}`), []byte(`{"n":4}`), 1)
	goodBytes, _ := good.MarshalMQTT()
	reference := item("mast", 4, event.Reading, nil)
	reference.Attrs.DataRef = "items/another/edge"
	referenceBytes, _ := reference.MarshalMQTT()
	for _, poison := range []struct {
		name, topic string
		payload     []byte
		exception   string
	}{
		{"NotAnEnvelope", "canvas/v1/mast/up/2/reading", []byte("hello"), "event.ErrMalformed"},
		{"WrongDigest", "canvas/v1/mast/up/2/reading", spoiledBytes, "event.ErrDigest"},
		{"SixMebibytes", "canvas/v1/mast/up/2/reading", make([]byte, 6<<20), "event.ErrTooLarge"},
		{"UnknownKind", "canvas/v1/mast/up/2/parcel", goodBytes, "event.ErrUnknownKind"},
		{"AnotherEdge", "canvas/v1/vessel/up/2/reading", goodBytes, "bridge.Stray"},
		{"AnotherPriority", "canvas/v1/mast/up/0/reading", goodBytes, "bridge.Stray"},
		{"AReference", "canvas/v1/mast/up/2/reading", referenceBytes, "bridge.Reference"},
		{"Empty", "canvas/v1/mast/up/2/reading", []byte{0}, "event.ErrMalformed"},
	} {
		t.Run(poison.name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			w.broker.send(t, readings("vessel", 1, 50)...)
			w.broker.publish(poison.topic, poison.payload)
			w.broker.send(t, readings("vessel", 51, 100)...)
			w.receipted("vessel", 100)
			eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 101 })
			w.broker.publish(poison.topic, bytes.Clone(poison.payload))
			eventually(t, "the second is acknowledged", func() bool { return w.broker.acknowledged() == 102 })
			deadLetters := w.log.records(event.DLQTopic)
			if len(deadLetters) != 1 {
				t.Fatalf("%d dead letters", len(deadLetters))
			}
			l := deadLetters[0]
			if header(l, "__connect.errors.topic") != poison.topic || header(l, "__connect.errors.exception.message") == "" || string(l.Key) != poison.topic {
				t.Errorf("key %q, headers %v", l.Key, l.Headers)
			}
			if got := header(l, "__connect.errors.exception.class.name"); got != poison.exception {
				t.Errorf("exception %q, %s", got, header(l, "__connect.errors.exception.message"))
			}
			value := l.Value
			if ref := header(l, deadletter.HeadQuarantine); ref != "" {
				value = w.objects.objects[ref]
			}
			if !bytes.Equal(value, poison.payload) {
				t.Errorf("the value was changed: %d bytes", len(value))
			}
			if got := w.log.seqs(t, event.EventsTopic); !slices.Equal(got, numbers(1, 100)) {
				t.Errorf("the rest: %v", got)
			}
		})
	}
}

func TestStrangersAreSetAside(t *testing.T) {
	w := newWorld(t)
	w.cfg.Edges = []string{"mast-*", "vessel"}
	w.start()
	w.broker.send(t, reading("mast-7", 1), reading("stranger", 1), reading("vessel", 1))
	w.broker.publish(event.StatusTopic("stranger"), []byte(`{"status":"online","edge":"stranger","epoch":"e7","version":"1"}`))
	w.receipted("mast-7", 1)
	w.receipted("vessel", 1)
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 4 })
	deadLetters := w.log.records(event.DLQTopic)
	if len(deadLetters) != 1 || header(deadLetters[0], "__connect.errors.exception.class.name") != "bridge.Stranger" {
		t.Errorf("dead letters: %v", deadLetters)
	}
	if r, _ := w.receipts.of("stranger"); r.Epoch != "" || len(w.bridge.Status()) != 2 {
		t.Errorf("a stranger is told %+v; known are %+v", r, w.bridge.Status())
	}
}

func TestPoisonWithANumberIsSettledOnlyWhenTheSameBytesComeTwice(t *testing.T) {
	w := newWorld(t)
	w.start()
	payload, _ := reading("mast", 1).MarshalMQTT()
	spoiled := bytes.Replace(payload, []byte(`{"n":1}`), []byte(`{"n":2}`), 1)
	w.broker.publish("canvas/v1/mast/up/2/reading", spoiled)
	w.broker.send(t, reading("mast", 2))
	eventually(t, "a receipt for the good one only", func() bool {
		r, _ := w.receipts.of("mast")
		return r.Through == 0 && r.Has(2)
	})
	w.broker.publish("canvas/v1/mast/up/2/reading", bytes.Clone(spoiled))
	w.receipted("mast", 2)
}

func TestPoisonThatOnlyTheBrokerSendsAgainIsNotSettled(t *testing.T) {
	for name, restart := range map[string]bool{"SameBridge": false, "NextBridge": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.CheckpointEvery = time.Minute
			w.start()
			payload, _ := reading("mast", 1).MarshalMQTT()
			spoiled := bytes.Replace(payload, []byte(`{"n":1}`), []byte(`{"n":2}`), 1)
			w.broker.publish("canvas/v1/mast/up/2/reading", spoiled)
			eventually(t, "it is acknowledged", func() bool { return w.broker.acknowledged() == 1 })
			if restart { // after a SIGKILL between the letter's acks=all and the PUBACK
				w.stop()
				w.log.topics[event.BridgeTopic] = make([][]kafka.Record, 1)
				w.broker = newMQTTBroker()
				w.start()
			}
			w.broker.redeliver("canvas/v1/mast/up/2/reading", bytes.Clone(spoiled))
			w.broker.send(t, reading("mast", 2))
			eventually(t, "a receipt for the second", func() bool { r, _ := w.receipts.of("mast"); return r.Has(2) })
			if r, _ := w.receipts.of("mast"); r.Has(1) {
				t.Fatal("the edge is told to let go of an item that Kafka does not have")
			}
			w.broker.publish("canvas/v1/mast/up/2/reading", payload)
			w.receipted("mast", 2)
			if got := w.log.seqs(t, event.EventsTopic); !slices.Equal(got, []uint64{2, 1}) {
				t.Errorf("Kafka has %v", got)
			}
			if n := len(w.log.records(event.DLQTopic)); n != 1 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

func TestSpoiledOnTheWayIsTakenWhenItComesIntact(t *testing.T) {
	w := newWorld(t)
	w.start()
	payload, _ := reading("mast", 1).MarshalMQTT()
	w.broker.publish("canvas/v1/mast/up/2/reading", bytes.Replace(payload, []byte(`{"n":1}`), []byte(`{"n":2}`), 1))
	eventually(t, "it is set aside", func() bool { return len(w.log.records(event.DLQTopic)) == 1 })
	w.broker.publish("canvas/v1/mast/up/2/reading", payload)
	w.receipted("mast", 1)
	if got := w.log.seqs(t, event.EventsTopic); !slices.Equal(got, numbers(1, 1)) {
		t.Errorf("Kafka has %v", got)
	}
}

func TestPoisonKnownFromTheLogIsNotWrittenAgain(t *testing.T) {
	w := newWorld(t)
	w.log.fault = func(n int, records []kafka.Record) error {
		if n > 1 {
			return nil
		}
		return w.log.fail(records, func(int) (kafka.Outcome, bool, error) { return kafka.Unknown, true, errors.New("timed out") })
	}
	w.start()
	w.broker.publish("canvas/v1/mast/up/2/reading", []byte("hello"))
	eventually(t, "it is acknowledged", func() bool { return w.broker.acknowledged() == 1 })
	if n := len(w.log.records(event.DLQTopic)); n != 1 {
		t.Errorf("%d dead letters", n)
	}
}

func TestPoisonBehindACheckpointIsNotWrittenAgain(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.broker.send(t, reading("mast", 1))
	w.broker.publish("canvas/v1/mast/up/2/reading", []byte("hello"))
	eventually(t, "both are acknowledged", func() bool { return w.broker.acknowledged() == 2 })
	w.stop() // writes a checkpoint whose offsets are above the letter
	if len(w.log.records(event.BridgeTopic)) == 0 {
		t.Fatal("no checkpoint")
	}
	w.broker = newMQTTBroker()
	w.start()
	w.broker.redeliver("canvas/v1/mast/up/2/reading", []byte("hello"))
	eventually(t, "it is acknowledged", func() bool { return w.broker.acknowledged() == 1 })
	if n := len(w.log.records(event.DLQTopic)); n != 1 {
		t.Errorf("%d dead letters", n)
	}
}

func TestRecordThatKafkaRefusesIsSetAsideAndAccountedFor(t *testing.T) {
	w := newWorld(t)
	w.log.fault = func(_ int, records []kafka.Record) error {
		bad := slices.IndexFunc(records, func(r kafka.Record) bool {
			return r.Topic != event.DLQTopic && strings.Contains(string(r.Value), `"n":2`)
		})
		if bad < 0 {
			return nil
		}
		return w.log.fail(records, func(n int) (kafka.Outcome, bool, error) {
			if n == bad {
				return kafka.Refused, false, kafkago.MessageSizeTooLarge
			}
			return kafka.Confirmed, true, nil
		})
	}
	w.start()
	w.broker.send(t, readings("mast", 1, 3)...)
	w.receipted("mast", 3)
	deadLetters := w.log.records(event.DLQTopic)
	if len(deadLetters) != 1 || string(deadLetters[0].Value) != `{"n":2}` || string(deadLetters[0].Key) != "mast" || header(deadLetters[0], "__connect.errors.topic") != event.EventsTopic {
		t.Errorf("dead letters: %+v", deadLetters)
	}
	if got := w.log.seqs(t, event.EventsTopic); !slices.Equal(got, []uint64{1, 3}) {
		t.Errorf("the rest: %v", got)
	}
	w.stop()
	w.broker = newMQTTBroker()
	w.start() // the log says so too
	eventually(t, "the bridge knows", func() bool { s := w.bridge.Status(); return len(s) == 1 && s[0].Through == 3 })
}
