package bridge

import (
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// FuzzLetter: whatever comes from MQTT is either an item that is what its topic says, or poison.
func FuzzLetter(f *testing.F) {
	good := event.Item{
		ID: [16]byte{1}, Edge: "mast", Epoch: "e1", Seq: 1, Kind: event.Reading, Stream: "s", Priority: event.Normal,
		Type: "application/json", SHA256: event.Sum([]byte("{}")), Data: []byte("{}"),
	}
	payload, err := good.MarshalMQTT()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("canvas/v1/mast/up/2/reading", payload)
	f.Add("canvas/v1/mast/up/2/part", payload)
	f.Add("canvas/v1/mast/status", []byte(`{"status":"online","epoch":"e1"}`))
	f.Add("canvas/v1/mast/up/1/receipt", []byte(`{"specversion":"1.0","id":"01","data":{"drops":[{"seq":1}]}}`))
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		l := guests(nil).read(mqtt.Message{Topic: topic, Payload: payload})
		if l.err != nil {
			letterOf(topic, []byte(topic), payload, l.err, deadletter.StageConvert)
			return
		}
		if l.status != nil {
			if edge, err := event.ParseStatusTopic(topic); err != nil || l.status.Status != "" && l.status.Edge != edge {
				t.Fatalf("a status on topic %q: %+v", topic, l.status)
			}
			return
		}
		edge, priority, kind, err := event.ParseTopic(topic)
		if err != nil || l.item.Edge != edge || l.item.Priority != priority || l.item.Kind != kind {
			t.Fatalf("taken on topic %q: %+v", topic, l.item)
		}
		if l.item.Kind != event.Part && event.Sum(l.item.Data) != l.item.SHA256 {
			t.Fatal("taken with a wrong sha256")
		}
	})
}

// FuzzCheckpoint: a checkpoint that was damaged is an error, not a crash.
func FuzzCheckpoint(f *testing.F) {
	l := newLedger(time.Now)
	l.add("mast", "e1", 1, 2, 5, 9)
	records, err := l.save(slots.Owned{Slots: slots.Every}, offsets{"canvas.events": {0: 3}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(records[slots.Of("mast")].Key, records[slots.Of("mast")].Value)
	f.Add([]byte("7"), []byte(`{"slot":7,"edges":{"mast":{"e":{"through":3,"last":{"seq":3,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","sum":"AQID"},"conflicts":[{"seq":1,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}],"conflict":"2026-01-01T00:00:00Z"}}},"devices":{"mast":{"newer":true,"named":["e"],"twins":["e","f"],"since":"2026-01-01T00:00:00Z","last":"2026-01-01T00:00:00Z","day":3,"stored":9}}}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		c, err := parseCheckpoint(kafka.Record{Key: key, Value: value})
		if err != nil {
			return
		}
		back := newLedger(time.Now)
		if back.load(c) == nil {
			for _, r := range mustSave(t, back) {
				if again, err := parseCheckpoint(r); err != nil || newLedger(time.Now).load(again) != nil {
					t.Fatalf("what was read can't be written and read again: %v", err)
				}
			}
			for _, s := range back.status() {
				if r := (event.Receipt{Epoch: "e", Through: s.Through}); r.Check() != nil {
					t.Fatal(r)
				}
			}
		}
	})
}

func mustSave(t *testing.T, l *ledger) []kafka.Record {
	records, err := l.save(slots.Owned{Slots: slots.Every}, offsets{})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// FuzzEdgeOf: whose topic it is, is known without a look at the rest of it.
func FuzzEdgeOf(f *testing.F) {
	f.Add("canvas/v1/mast/up/2/reading")
	f.Add("canvas/v1/mast/status")
	f.Add("canvas/v1//up/2/reading")
	f.Fuzz(func(t *testing.T, topic string) {
		if edge, _, _, err := event.ParseTopic(topic); err == nil && edgeOf(topic) != edge {
			t.Fatalf("%q is of %q, not of %q", topic, edge, edgeOf(topic))
		}
		if edge, err := event.ParseStatusTopic(topic); err == nil && edgeOf(topic) != edge {
			t.Fatalf("%q is of %q, not of %q", topic, edge, edgeOf(topic))
		}
	})
}

// FuzzRecord: whatever stands in Kafka's headers is a number of an edge, or none.
func FuzzRecord(f *testing.F) {
	f.Add("mast", "e1", "7", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	f.Add("", "", "", "", "e3b0c44298fc1c1")
	f.Fuzz(func(t *testing.T, edge, epoch, seq, id, sum string) {
		s := shift{Owned: slots.Owned{Slots: slots.Every}, book: newLedger(time.Now), ids: newIDs(64)}
		r := kafka.Record{Topic: event.EventsTopic}
		for key, value := range map[string]string{"ce_edge": edge, "ce_epoch": epoch, "ce_seq": seq, "ce_id": id, "ce_sha256": sum} {
			r.Headers = append(r.Headers, event.Header{Key: key, Value: []byte(value)})
		}
		for range 2 {
			if err := s.found(r); err != nil {
				t.Fatal(err)
			}
		}
		mustSave(t, s.book)
	})
}
