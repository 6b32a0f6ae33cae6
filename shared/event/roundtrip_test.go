package event

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

// anyItem draws an item as an edge or the cloud may make it.
func anyItem(t *rapid.T) Item {
	word := rapid.StringMatching(`[a-zA-Z0-9_.-]{0,24}`)
	words := rapid.StringMatching(`[ -~äöü漢🛰]{0,24}`)
	item := Item{
		Edge:     rapid.StringMatching(`[a-zA-Z0-9_-]{1,24}`).Draw(t, "edge"),
		Kind:     rapid.SampledFrom([]Kind{Alert, Track, Reading, Scene, Tile, Crop, Frame, Part, Ack, Answer, Result, Product}).Draw(t, "kind"),
		Stream:   words.Draw(t, "stream"),
		Subject:  words.Draw(t, "subject"),
		Priority: Priority(rapid.Uint8Range(0, 3).Draw(t, "priority")),
		Attrs: Attrs{
			Scene: word.Draw(t, "scene"), Tile: word.Draw(t, "tile"), Model: word.Draw(t, "model"), ModelVersion: word.Draw(t, "version"),
			Want: word.Draw(t, "want"), Level: word.Draw(t, "level"), TraceParent: word.Draw(t, "trace"),
		},
		Type: rapid.SampledFrom([]string{"", "application/json", "image/png", "text/plain", "application/geo+json", "image/tiff; application=geotiff"}).Draw(t, "type"),
		Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
	}
	if rapid.Bool().Draw(t, "JSON data") {
		item.Data = []byte(rapid.SampledFrom([]string{`{"a":1}`, `[1, 2]`, `"<&>"`, "{\n}", `"\u003c"`, `null`, `1e3`}).Draw(t, "value"))
	}
	copy(item.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	item.ID[15] |= 1
	if rapid.Bool().Draw(t, "by the edge") {
		item.Epoch, item.Seq = "0123456789abcdef", rapid.Uint64Min(1).Draw(t, "seq")
	}
	if rapid.Bool().Draw(t, "timed") {
		item.Time = time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanos")).UTC()
	}
	if rapid.Bool().Draw(t, "expiring") {
		item.Attrs.Expires = time.Unix(rapid.Int64Range(1, 253402300799).Draw(t, "expires"), 0).UTC()
		item.Attrs.Late = rapid.Bool().Draw(t, "late")
		item.Attrs.Redelivered = rapid.Bool().Draw(t, "redelivered")
	}
	item.SHA256 = Sum(item.Data)
	switch {
	case item.Kind == Part:
		item.Attrs.Parts = rapid.Uint32Range(1, maxParts).Draw(t, "parts")
		item.Attrs.Part = rapid.Uint32Range(0, item.Attrs.Parts-1).Draw(t, "part")
		item.Attrs.PartOf = Tile
		item.SHA256 = Sum([]byte("the whole"))
	case rapid.Bool().Draw(t, "by reference"):
		item.Data, item.Attrs.DataRef = nil, "frames/"+item.ID.String()
	}
	return item
}

func TestItemsComeBackFromEveryForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyItem(t)
		pb, err := want.MarshalMQTT()
		if err != nil {
			t.Fatal(err)
		}
		got, err := UnmarshalMQTT(pb)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "protobuf", got, want)

		js, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if js[0] != '{' {
			t.Fatalf("JSON begins with %q", js[0])
		}
		if got, err = UnmarshalMQTT(js); err != nil {
			t.Fatal(err)
		}
		equal(t, "JSON", got, want)
		var again Item
		if err := json.Unmarshal(js, &again); err != nil {
			t.Fatal(err)
		}
		equal(t, "JSON by itself", again, want)

		_, headers, value := want.Kafka()
		if value == nil {
			t.Fatal("a nil value deletes the key on a compacted topic")
		}
		if got, err = FromKafka(headers, value); err != nil {
			t.Fatal(err)
		}
		equal(t, "Kafka", got, want)
	})
}

func equal(t *rapid.T, form string, got, want Item) {
	if len(got.Data) == 0 && len(want.Data) == 0 {
		got.Data, want.Data = nil, nil
	}
	if string(got.Data) != string(want.Data) {
		t.Fatalf("%s: data %q, want %q", form, got.Data, want.Data)
	}
	got.Data, want.Data = nil, nil
	if a, b := describe(got), describe(want); a != b {
		t.Fatalf("%s:\ngot  %s\nwant %s", form, a, b)
	}
}

func describe(i Item) string {
	type plain Item // without MarshalJSON
	b, _ := json.Marshal(plain(i))
	return string(b)
}

func TestStructuredEventsInKafkaAreRead(t *testing.T) {
	want := samples()["reading"]
	js, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	pb, err := want.MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	for media, value := range map[string][]byte{MediaJSON + "; charset=utf-8": js, MediaProtobuf: pb} {
		got, err := FromKafka([]Header{{"content-type", []byte(media)}}, value)
		if err != nil {
			t.Fatal(media, err)
		}
		same(t, media, got, want)
	}
}

func TestIndentedDataKeepsItsDigest(t *testing.T) {
	want := samples()["reading"]
	js, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var loose any
	if err := json.Unmarshal(js, &loose); err != nil {
		t.Fatal(err)
	}
	indented, err := json.MarshalIndent(loose, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got, err := UnmarshalMQTT(indented)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "indented", got, want)
}

func TestResultIDsAreTheSameForTheSameWork(t *testing.T) {
	a := ulid.MustNewDefault(sampleTime)
	one := ResultID(a, "m", "1")
	switch {
	case one != ResultID(a, "m", "1"):
		t.Error("the same work has two ids")
	case one == ResultID(a, "m", "2"), one == ResultID(a, "m1", ""), one == ResultID(ulid.MustNewDefault(sampleTime), "m", "1"):
		t.Error("other work has the same id")
	case one.Time() != a.Time():
		t.Error("the input's time is lost")
	}
}

func TestIDsDoNotNeedARightClock(t *testing.T) {
	for _, at := range []time.Time{sampleTime, {}, time.Unix(-1<<40, 0), time.Unix(1<<40, 0)} {
		if a, b := NewID(at), NewID(at); a == b || a.IsZero() {
			t.Errorf("%s: %s, %s", at, a, b)
		}
	}
	if id := NewID(sampleTime); id.Time() != ulid.Timestamp(sampleTime) {
		t.Error("a right clock's time is not in the id")
	}
}

func BenchmarkEnvelope(b *testing.B) {
	item := samples()["tile"]
	item.Data = make([]byte, 100<<10)
	item.SHA256 = Sum(item.Data)
	pb, err := item.MarshalMQTT()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(item.Data)))
		for b.Loop() {
			if _, err := item.MarshalMQTT(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) { // the sha256 is nearly all of it
		b.ReportAllocs()
		b.SetBytes(int64(len(item.Data)))
		for b.Loop() {
			if _, err := UnmarshalMQTT(pb); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(item.Data)))
		for b.Loop() {
			Sum(item.Data)
		}
	})
}
