package bridge

import (
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// FuzzMessage: whatever comes from MQTT is either an item that is what its topic says, or poison.
func FuzzMessage(f *testing.F) {
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
		l := allowlist(nil).read(mqtt.Message{Topic: topic, Payload: payload})
		if l.err != nil {
			deadLetter(topic, []byte(topic), payload, l.err, deadletter.StageConvert)
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
		s := session{Owned: slots.Owned{Slots: slots.Every}, dedup: dedup.New(time.Now), ids: dedup.NewIDs(64)}
		r := kafka.Record{Topic: event.EventsTopic}
		for key, value := range map[string]string{"ce_edge": edge, "ce_epoch": epoch, "ce_seq": seq, "ce_id": id, "ce_sha256": sum} {
			r.Headers = append(r.Headers, event.Header{Key: key, Value: []byte(value)})
		}
		for range 2 {
			if err := s.recordFound(r); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.dedup.Save(s.Owned, dedup.Offsets{}); err != nil {
			t.Fatal(err)
		}
	})
}
