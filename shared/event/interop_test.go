package event

import (
	"bytes"
	"encoding/json"
	"testing"

	protobuf "github.com/cloudevents/sdk-go/binding/format/protobuf/v2"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	ce "github.com/cloudevents/sdk-go/v2/event"
)

// The official SDK reads what we write, and we read what it writes.

func TestTheSDKReadsOurProtobufAndJSON(t *testing.T) {
	for name, item := range samples() {
		t.Run(name, func(t *testing.T) {
			pb, err := item.MarshalMQTT()
			if err != nil {
				t.Fatal(err)
			}
			var e ce.Event
			if err := protobuf.Protobuf.Unmarshal(pb, &e); err != nil {
				t.Fatal("protobuf:", err)
			}
			sameEvent(t, "protobuf", e, item)

			js, err := json.Marshal(item)
			if err != nil {
				t.Fatal(err)
			}
			e = ce.Event{}
			if err := format.JSON.Unmarshal(js, &e); err != nil {
				t.Fatal("JSON:", err)
			}
			sameEvent(t, "JSON", e, item)
		})
	}
}

func TestWeReadTheSDKsProtobufAndJSON(t *testing.T) {
	for name, item := range samples() {
		t.Run(name, func(t *testing.T) {
			e := sdkEvent(t, item)
			for _, f := range []format.Format{protobuf.Protobuf, format.JSON} {
				b, err := f.Marshal(&e)
				if err != nil {
					t.Fatal(f.MediaType(), err)
				}
				got, err := UnmarshalMQTT(b)
				if err != nil {
					t.Fatal(f.MediaType(), err)
				}
				same(t, f.MediaType(), got, item)
			}
		})
	}
}

// In binary mode the SDK's Kafka bindings map headers through spec, with the prefix ce_.
func TestTheSDKReadsOurKafkaHeaders(t *testing.T) {
	versions := spec.WithPrefix("ce_")
	for name, item := range samples() {
		t.Run(name, func(t *testing.T) {
			_, headers, value := item.Kafka()
			e := ce.New(ce.CloudEventsVersionV1)
			for _, h := range headers {
				if h.Key == "content-type" {
					e.SetDataContentType(string(h.Value))
					continue
				}
				if err := versions.Version("1.0").SetAttribute(e.Context, h.Key, string(h.Value)); err != nil {
					t.Fatal(h.Key, err)
				}
			}
			e.DataEncoded = value
			sameEvent(t, "Kafka", e, item)
		})
	}
}

func sameEvent(t *testing.T, form string, e ce.Event, item Item) {
	t.Helper()
	if err := e.Validate(); err != nil {
		t.Errorf("%s: the SDK finds it invalid: %v", form, err)
	}
	want := map[string]any{
		"id": item.ID.String(), "source": item.source(), "type": item.ceType(), "subject": item.Subject,
		"media": item.Type, "time": item.Time.UTC(),
	}
	got := map[string]any{
		"id": e.ID(), "source": e.Source(), "type": e.Type(), "subject": e.Subject(), "media": e.DataContentType(), "time": e.Time().UTC(),
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %s is %v, want %v", form, k, got[k], v)
		}
	}
	if !bytes.Equal(e.Data(), item.Data) {
		t.Errorf("%s: data %q, want %q", form, e.Data(), item.Data)
	}
	extensions := map[string]string{"edge": item.Edge, "epoch": string(item.Epoch), "scene": item.Attrs.Scene, "tile": item.Attrs.Tile, "sha256": item.SHA256.String(), "dataref": item.Attrs.DataRef, "want": item.Attrs.Want}
	for name, v := range extensions {
		if have, ok := e.Extensions()[name]; ok != (v != "") || ok && have != v {
			t.Errorf("%s: extension %s is %v, want %q", form, name, have, v)
		}
	}
}

// sdkEvent is the item as somebody with the SDK would write it.
func sdkEvent(t *testing.T, item Item) ce.Event {
	t.Helper()
	e := ce.New()
	e.SetID(item.ID.String())
	e.SetSource(item.source())
	e.SetType(item.ceType())
	e.SetSubject(item.Subject)
	if !item.Time.IsZero() {
		e.SetTime(item.Time)
	}
	for _, a := range item.attributes(nil) {
		switch {
		case a.name == attrMedia || a.name == attrSubject || a.name == attrTime:
		case a.form == number:
			e.SetExtension(a.name, a.number)
		default:
			e.SetExtension(a.name, a.text)
		}
	}
	if item.Type != "" {
		e.SetDataContentType(item.Type)
	}
	if item.Attrs.DataRef == "" {
		e.DataEncoded = item.Data
		e.DataBase64 = !isJSON(item.Type)
	}
	return e
}
