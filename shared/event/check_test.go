package event

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"
)

func TestBadEnvelopesSayWhatIsWrong(t *testing.T) {
	base := map[string]any{
		"specversion": "1.0", "id": sampleID.String(), "source": "/edge/mast-7/cam", "type": "io.cloudcanvas.alert.v1",
		"edge": "mast-7", "epoch": "0123456789abcdef", "seq": "7", "priority": 0, "datacontenttype": "text/plain", "data": "hello",
	}
	for name, c := range map[string]struct {
		change map[string]any
		want   error
		says   string
	}{
		"good":              {map[string]any{}, nil, ""},
		"number as text":    {map[string]any{"priority": "2"}, nil, ""},
		"unknown attribute": {map[string]any{"colour": "blue", "flag": true}, nil, ""},
		"unknown type":      {map[string]any{"type": "com.example.thing"}, ErrUnknownKind, "com.example.thing"},
		"other version":     {map[string]any{"type": "io.cloudcanvas.alert.v2"}, ErrUnknownKind, "alert.v2"},
		"no type":           {map[string]any{"type": nil}, ErrUnknownKind, ""},
		"no id":             {map[string]any{"id": nil}, ErrIncomplete, "id"},
		"zero id":           {map[string]any{"id": ulid.ULID{}.String()}, ErrIncomplete, "id"},
		"id of others":      {map[string]any{"id": "b9f4c1c0-0000"}, ErrMalformed, "ULID"},
		"no specversion":    {map[string]any{"specversion": nil}, ErrMalformed, "specversion"},
		"old specversion":   {map[string]any{"specversion": "0.3"}, ErrMalformed, "0.3"},
		"strange source":    {map[string]any{"source": "urn:x"}, ErrMalformed, "/edge/"},
		"two edges":         {map[string]any{"edge": "mast-8"}, ErrMalformed, "mast-8"},
		"edge with slash":   {map[string]any{"edge": "a/b", "source": "/edge/a%2Fb"}, ErrMalformed, "edge"},
		"epoch, no seq":     {map[string]any{"seq": nil}, ErrIncomplete, "epoch and seq"},
		"seq, no epoch":     {map[string]any{"epoch": nil}, ErrIncomplete, "epoch and seq"},
		"seq 0":             {map[string]any{"seq": "0"}, ErrIncomplete, "epoch and seq"},
		"seq not a number":  {map[string]any{"seq": "many"}, ErrMalformed, "seq"},
		"negative seq":      {map[string]any{"seq": -4}, ErrMalformed, "seq"},
		"priority 4":        {map[string]any{"priority": 4}, ErrMalformed, "0 to 3"},
		"wrong digest":      {map[string]any{"sha256": Sum([]byte("other")).String()}, ErrDigest, "sha256"},
		"short digest":      {map[string]any{"sha256": "abcd"}, ErrMalformed, "64 hex"},
		"time of day":       {map[string]any{"time": "12:30"}, ErrMalformed, "RFC 3339"},
		"list as attribute": {map[string]any{"subject": []int{1}}, ErrMalformed, "subject"},
		"long attribute":    {map[string]any{"subject": strings.Repeat("x", maxAttr+1)}, ErrTooLarge, "subject"},
		"line feed":         {map[string]any{"subject": "a\nb"}, ErrMalformed, "subject"},
		"alert in parts":    {map[string]any{"part": 0, "parts": 2}, ErrMalformed, "part"},
		"part of nothing":   {map[string]any{"type": "io.cloudcanvas.part.v1", "part": 0, "parts": 2}, ErrUnknownKind, "part"},
		"part beyond parts": {map[string]any{"type": "io.cloudcanvas.part.v1", "part": 2, "parts": 2, "partof": "tile"}, ErrMalformed, "part 2 of 2"},
		"part, no digest":   {map[string]any{"type": "io.cloudcanvas.part.v1", "part": 1, "parts": 2, "partof": "tile"}, ErrIncomplete, "sha256"},
		"data and dataref":  {map[string]any{"dataref": "x"}, ErrMalformed, "dataref"},
		"text that is not":  {map[string]any{"data": map[string]any{}}, ErrMalformed, "data_base64"},
		"bad base64":        {map[string]any{"data_base64": "@@"}, ErrMalformed, "data_base64"},
	} {
		t.Run(name, func(t *testing.T) {
			event := map[string]any{}
			for _, from := range []map[string]any{base, c.change} {
				for k, v := range from {
					if v == nil {
						delete(event, k)
					} else {
						event[k] = v
					}
				}
			}
			b, err := json.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			item, err := UnmarshalMQTT(b)
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
			if c.want == ErrDigest && (item.Edge != "mast-7" || item.Seq != 7) {
				t.Errorf("a bad item cannot be accounted for: %+v", item)
			}
		})
	}
}

func TestEventsOfOthersGetADigestAndAPriority(t *testing.T) {
	item, err := UnmarshalMQTT([]byte(`{"specversion":"1.0","id":"` + sampleID.String() + `","source":"/edge/plc-3/pump","type":"io.cloudcanvas.reading.v1","data":{ "bar": 4.2 }}`))
	if err != nil {
		t.Fatal(err)
	}
	if item.Edge != "plc-3" || item.Stream != "pump" || item.Priority != Normal || string(item.Data) != `{"bar":4.2}` || item.SHA256 != Sum(item.Data) {
		t.Errorf("%+v %s", item, item.Data)
	}
}

func TestLargeThingsAreRefusedBeforeTheyAreRead(t *testing.T) {
	if _, err := UnmarshalMQTT(make([]byte, MaxEnvelope+1)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	item := samples()["tile"]
	item.Data = make([]byte, MaxEnvelope)
	if _, err := item.MarshalMQTT(); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestBadItemsAreNotWritten(t *testing.T) {
	for name, spoil := range map[string]func(*Item){
		"kind":  func(i *Item) { i.Kind = "thing" },
		"id":    func(i *Item) { i.ID = ulid.ULID{} },
		"seq":   func(i *Item) { i.Seq = 0 },
		"edge":  func(i *Item) { i.Edge = "a b" },
		"text":  func(i *Item) { i.Subject = "\xff" },
		"epoch": func(i *Item) { i.Epoch = "a/b" },
	} {
		item := samples()["tile"]
		spoil(&item)
		if _, err := item.MarshalMQTT(); err == nil {
			t.Error(name, "protobuf was written")
		}
		if _, err := json.Marshal(item); err == nil {
			t.Error(name, "JSON was written")
		}
	}
}

func FuzzUnmarshalMQTT(f *testing.F) {
	for _, item := range samples() {
		pb, _ := item.MarshalMQTT()
		js, _ := json.Marshal(item)
		f.Add(pb)
		f.Add(js)
	}
	f.Add([]byte("{"))
	f.Add([]byte{0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		item, err := UnmarshalMQTT(b)
		if err != nil {
			return
		}
		again, err := item.MarshalMQTT()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := UnmarshalMQTT(again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		same(t, "again", back, item)
	})
}

func FuzzFromKafka(f *testing.F) {
	f.Add("ce_id", "x", "content-type", "image/png", []byte("data"))
	f.Add("ce_seq", "1", "content-type", "application/cloudevents+json", []byte("{}"))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string, value []byte) {
		_, headers, _ := samples()["reading"].Kafka()
		headers = append(headers, Header{k1, []byte(v1)}, Header{k2, []byte(v2)})
		item, err := FromKafka(headers, value)
		if err == nil && item.Check() != nil {
			t.Fatalf("a bad item passed: %v", item.Check())
		}
	})
}
