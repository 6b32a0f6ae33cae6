package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// kafkaWith starts an embedded broker with dead letters in canvas.dlq.
func kafkaWith(t *testing.T, deadLetters ...kafka.Record) *kafka.Client {
	t.Helper()
	b, err := kafka.Embed(t.TempDir(), kafka.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := kafka.Dial(kafka.Options{Brokers: b.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(); b.Close() })
	if err := k.EnsureTopics(t.Context(), kafka.Topic{Name: event.DLQTopic, Partitions: 1}, kafka.Topic{Name: event.WorkTopic, Partitions: 2}, kafka.Topic{Name: event.EventsTopic, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	for _, l := range deadLetters { // one by one, so that their offsets are their order
		if err := k.Append(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// anything lets all through that can be read.
type anything struct{}

func (anything) Message(_ string, payload []byte) (event.Item, error) {
	return event.UnmarshalMQTT(payload)
}
func (anything) Item(i event.Item) error { return i.Verify() }

func reading(n int) event.Item {
	data := fmt.Appendf(nil, "{\"n\":%d}", n)
	id := ulid.ULID{15: byte(n)}
	if err := id.SetTime(1_700_000_000_000); err != nil {
		panic(err)
	}
	return event.Item{ID: id, Edge: "mast", Epoch: "e1", Seq: uint64(n + 1), Kind: event.Reading, Stream: "wind", Subject: "wind",
		Time: time.Unix(1_700_000_000, 0).UTC(), Type: "application/json", Data: data, SHA256: event.Sum(data)}
}

func tile(n int) event.Item {
	i := reading(n)
	i.Kind, i.Attrs = event.Tile, event.Attrs{Scene: "s", Tile: "0_0", Want: "segment"}
	return i
}

// dead letter is a record that a worker could not process.
func deadLetter(n int, from string) kafka.Record {
	i := tile(n)
	if from == event.EventsTopic {
		i = reading(n)
	}
	r := kafka.RecordOf(i)
	r.Topic, r.Time = event.DLQTopic, time.Time{}
	r.Headers = append(r.Headers, event.Header{Key: "odd", Value: []byte{0, 255}}, event.Header{Key: "odd", Value: nil})
	r.Headers = append(r.Headers, Cause{Topic: from, Offset: 7, Reason: fmt.Sprintf("reason %d", n)}.Headers()...)
	return r
}

// message is one that the bridge refused, as it came over MQTT.
func message(t *testing.T, i event.Item) kafka.Record {
	t.Helper()
	payload, err := i.MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	topic := fmt.Sprintf("canvas/v1/%s/up/%d/%s", i.Edge, i.Priority, i.Kind)
	return kafka.Record{Topic: event.DLQTopic, Key: []byte(topic), Value: payload, Headers: Cause{Topic: topic, Offset: -1, Reason: "Kafka refused it"}.Headers()}
}

func operator(k Log, group Group, by string) Actions {
	return Actions{Log: k, Group: group, Checks: anything{}, By: by}
}

// work is what canvas.work holds.
func work(t *testing.T, k Log) []kafka.Record { return records(t, k, event.WorkTopic) }

func records(t *testing.T, k Log, topic string) (records []kafka.Record) {
	t.Helper()
	ranges, err := k.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		err := k.Scan(t.Context(), topic, p, r.First, r.End, func(r kafka.Record) error {
			records = append(records, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return records
}

func states(outcomes []Outcome) (s string) {
	for _, o := range outcomes {
		s += o.Place.String() + " " + o.State + ";"
	}
	return s
}

func TestTheNewestDeadLettersAreListedWithTheirReasons(t *testing.T) {
	var deadLetters []kafka.Record
	for n := range 9 {
		deadLetters = append(deadLetters, deadLetter(n, event.WorkTopic))
	}
	k := kafkaWith(t, deadLetters...)
	got, err := List(t.Context(), k, 4)
	if err != nil {
		t.Fatal(err)
	}
	if got.Total != 9 || len(got.Entries) != 4 || got.Entries[0].Place != (Place{0, 5}) {
		t.Fatalf("%+v", got)
	}
	if l := got.Entries[3]; l.Reason != "reason 8" || l.Topic != event.WorkTopic || l.Offset != "7" || l.Bytes != len(deadLetters[8].Value) || l.Edge != "mast" {
		t.Errorf("%+v", l)
	}
	if _, err := Read(t.Context(), k, Place{0, 99}); !errors.Is(err, ErrNone) {
		t.Errorf("a dead letter that is not there: %v", err)
	}
	if _, err := Read(t.Context(), k, Place{9, 0}); err == nil {
		t.Error("a partition that is not there")
	}
}

func TestADeadLetterGoesBackUnchangedAndOnce(t *testing.T) {
	k := kafkaWith(t, deadLetter(0, event.WorkTopic), deadLetter(1, event.EventsTopic), deadLetter(2, ""), deadLetter(3, event.DLQTopic), deadLetter(4, "nowhere"))
	group := local.NewSpace().Coordinator("operator")
	a := operator(k, group, "test")
	all := []Place{{0, 0}, {0, 0}, {0, 2}, {0, 3}, {0, 4}, {0, 77}, {5, 0}}
	outcomes, err := a.Replay(t.Context(), all...)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := states(outcomes), "0-0 already;0-2 refused;0-3 refused;0-4 refused;0-77 refused;5-0 refused;0-0 replayed;"; got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if outcomes, err = a.Replay(t.Context(), Place{0, 0}); err != nil || states(outcomes) != "0-0 already;" {
		t.Fatalf("a second time: %s %v", states(outcomes), err)
	}
	got := work(t, k)
	if len(got) != 1 {
		t.Fatalf("%d records went back", len(got))
	}
	want := deadLetter(0, event.WorkTopic)
	if string(got[0].Key) != string(want.Key) || string(got[0].Value) != string(want.Value) {
		t.Errorf("key %q, value %q", got[0].Key, got[0].Value)
	}
	heads := got[0].Headers
	mark := heads[len(heads)-1]
	own := len(want.Headers) - 9
	same := slices.EqualFunc(heads[:len(heads)-1], want.Headers[:own], func(a, b event.Header) bool { return a.Key == b.Key && string(a.Value) == string(b.Value) })
	if !same || mark.Key != HeadReplay || !strings.HasPrefix(string(mark.Value), "canvas.dlq/0-0 ") || !strings.HasSuffix(string(mark.Value), "by test") {
		t.Errorf("headers %q", heads)
	}
	listing, err := List(t.Context(), k, 10)
	if err != nil {
		t.Fatal(err)
	}
	book, err := ReadDecisions(t.Context(), group.Document(DecisionsName))
	book.Mark(listing.Entries)
	if l := listing.Entries; err != nil || !l[0].Replayed || l[0].Decision.By != "test" || l[0].Decision.At.IsZero() || l[1].Decision != nil {
		t.Errorf("marks: %+v %v", l, err)
	}
}

func TestWhatIsRefusedIsToldWhy(t *testing.T) {
	spoiled, stray := deadLetter(0, event.WorkTopic), deadLetter(1, event.WorkTopic)
	spoiled.Value = []byte("other bytes")
	stray.Headers = append(bare(stray.Headers), Cause{Topic: event.EventsTopic, Reason: "x"}.Headers()...)
	junk := kafka.Record{Topic: event.DLQTopic, Value: []byte("junk"), Headers: Cause{Topic: "canvas/v1/mast/up/2/reading", Offset: -1}.Headers()}
	held := kafka.Record{Topic: event.DLQTopic, Value: []byte{}, Headers: append(Cause{Topic: "canvas/v1/mast/up/2/reading"}.Headers(), event.Header{Key: HeadQuarantine, Value: []byte("quarantine/00")})}
	k := kafkaWith(t, spoiled, stray, junk, held)
	outcomes, err := operator(k, local.NewSpace().Coordinator("o"), "o").Replay(t.Context(), Place{0, 0}, Place{0, 1}, Place{0, 2}, Place{0, 3})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"sha256", "belongs to canvas.work", "not a readable envelope", "object store"} {
		if outcomes[n].State != Refused || !strings.Contains(outcomes[n].Why, want) {
			t.Errorf("%+v, want %q", outcomes[n], want)
		}
	}
}

func TestAMessageThatCameOverMQTTBecomesTheRecordThatTheBridgeWouldHaveMade(t *testing.T) {
	i := reading(0)
	k := kafkaWith(t, message(t, i), message(t, i))
	group := local.NewSpace().Coordinator("operator")
	outcomes, err := operator(k, group, "o").Replay(t.Context(), Place{0, 0}, Place{0, 1})
	if err != nil || states(outcomes) != "0-1 refused;0-0 replayed;" {
		t.Fatalf("%+v %v", outcomes, err)
	}
	if outcomes, err = operator(k, group, "o").Replay(t.Context(), Place{0, 1}); err != nil || states(outcomes) != "0-1 already;" {
		t.Fatalf("what Kafka has already: %+v %v", outcomes, err)
	}
	got := records(t, k, event.EventsTopic)
	if len(got) != 1 || string(got[0].Key) != "mast" || string(got[0].Value) != string(i.Data) {
		t.Fatalf("%+v", got)
	}
	value, _, err := group.Document(PutBackName).Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told, err := Announced(value)
	if err != nil || len(told) != 1 || Header(told[0].Headers, "ce_seq") != "1" || Header(told[0].Headers, "ce_edge") != "mast" {
		t.Errorf("bridges are told %+v %v", told, err)
	}
}

// cutLog writes and then says that it does not know, or says so and writes nothing.
type cutLog struct {
	Log
	writes bool
}

var errCut = errors.New("the connection was cut")

func (c cutLog) Append(ctx context.Context, records ...kafka.Record) error {
	if c.writes {
		if err := c.Log.Append(ctx, records...); err != nil {
			return err
		}
	}
	return errCut
}

func TestARunThatDiedInBetweenDoublesNothingAndLosesNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes bool
		after  string
	}{{"Kafka had it", true, "already"}, {"Kafka did not have it", false, "replayed"}} {
		t.Run(c.name, func(t *testing.T) {
			k := kafkaWith(t, deadLetter(0, event.WorkTopic), deadLetter(1, event.WorkTopic))
			group := local.NewSpace().Coordinator("operator")
			if _, err := operator(cutLog{k, c.writes}, group, "o").Replay(t.Context(), Place{0, 0}, Place{0, 1}); !errors.Is(err, errCut) {
				t.Fatalf("the cut: %v", err)
			}
			outcomes, err := operator(k, group, "o").Replay(t.Context(), Place{0, 0}, Place{0, 1})
			if err != nil || states(outcomes) != fmt.Sprintf("0-0 %s;0-1 %[1]s;", c.after) {
				t.Errorf("afterwards: %s %v", states(outcomes), err)
			}
			if n := len(work(t, k)); n != 2 {
				t.Errorf("%d records in the work topic, want 2", n)
			}
		})
	}
}

// one is a log of one dead letter.
type one struct{ kafka.Record }

func (o one) Offsets(context.Context, string) (map[int]kafka.OffsetRange, error) {
	return map[int]kafka.OffsetRange{0: {End: 1}}, nil
}

func (o one) Scan(_ context.Context, topic string, _ int, _, _ int64, handle func(kafka.Record) error) error {
	if topic != event.DLQTopic {
		return nil
	}
	return handle(o.Record)
}

func (o one) Append(context.Context, ...kafka.Record) error { return nil }

func FuzzAnyDeadLetterCanBeDescribed(f *testing.F) {
	f.Add([]byte("k"), []byte("{}"), "__connect.errors.topic", []byte("canvas.work"))
	f.Add([]byte(nil), []byte(nil), "ce_id", []byte("\xff"))
	f.Fuzz(func(t *testing.T, key, value []byte, name string, head []byte) {
		r := kafka.Record{Key: key, Value: value, Headers: []event.Header{{Key: name, Value: head}}}
		l := Describe(r)
		a := Actions{Log: one{r}, Checks: anything{}}
		if o, err := a.prepare(t.Context(), Place{}); err == nil && !l.overMQTT() && (o.Topic != l.Topic || string(o.Value) != string(value)) {
			t.Fatalf("%+v became %+v", r, o)
		}
	})
}

func FuzzPlaces(f *testing.F) {
	f.Add("0-17")
	f.Add("-1-2")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlace(s)
		if err != nil {
			return
		}
		if again, err := ParsePlace(p.String()); err != nil || again != p {
			t.Fatalf("%q: %v, %v", s, p, again)
		}
	})
}
