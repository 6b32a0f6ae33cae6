package dlq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// kafkaWith starts an embedded broker with letters in canvas.dlq.
func kafkaWith(t *testing.T, letters ...broker.Record) *broker.Kafka {
	t.Helper()
	b, err := broker.EmbedKafka(t.TempDir(), broker.EmbedKafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := broker.DialKafka(broker.KafkaOptions{Brokers: b.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(); b.Close() })
	if err := k.EnsureTopics(t.Context(), broker.Topic{Name: event.DLQTopic, Partitions: 1}, broker.Topic{Name: event.WorkTopic, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	for _, l := range letters { // one by one, so that their offsets are their order
		if err := k.Append(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func letter(n int, from string) broker.Record {
	return broker.Record{Topic: event.DLQTopic, Key: fmt.Appendf(nil, "key-%d", n), Value: fmt.Appendf(nil, "\xff\x00value %d", n), Headers: []event.Header{
		{Key: "ce_id", Value: []byte("x")}, {Key: "odd", Value: []byte{0, 255}}, {Key: "odd", Value: nil},
		{Key: headTopic, Value: []byte(from)}, {Key: headOffset, Value: []byte("7")}, {Key: headMessage, Value: fmt.Appendf(nil, "reason %d", n)},
	}}
}

// work is what canvas.work holds.
func work(t *testing.T, k Log) (records []broker.Record) {
	t.Helper()
	ranges, err := k.Offsets(t.Context(), event.WorkTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		err := k.Scan(t.Context(), event.WorkTopic, p, r.First, r.End, func(r broker.Record) error {
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

func TestTheNewestLettersAreListedWithTheirReasons(t *testing.T) {
	var letters []broker.Record
	for n := range 9 {
		letters = append(letters, letter(n, event.WorkTopic))
	}
	k := kafkaWith(t, letters...)
	got, err := List(t.Context(), k, 4)
	if err != nil {
		t.Fatal(err)
	}
	if got.Total != 9 || len(got.Letters) != 4 || got.Letters[0].Place != (Place{0, 5}) {
		t.Fatalf("%+v", got)
	}
	if l := got.Letters[3]; l.Reason != "reason 8" || l.Topic != event.WorkTopic || l.Offset != "7" || l.Bytes != len(letters[8].Value) {
		t.Errorf("%+v", l)
	}
	if _, err := Read(t.Context(), k, Place{0, 99}); !errors.Is(err, ErrNone) {
		t.Errorf("a letter that is not there: %v", err)
	}
	if _, err := Read(t.Context(), k, Place{9, 0}); err == nil {
		t.Error("a partition that is not there")
	}
}

func TestALetterGoesBackUnchangedAndOnce(t *testing.T) {
	k := kafkaWith(t, letter(0, event.WorkTopic), letter(1, "canvas/v1/mast/up/1/tile"), letter(2, ""), letter(3, event.DLQTopic), letter(4, "nowhere"))
	group := local.NewSpace().Coordinator("operator")
	r := Replayer{Log: k, Group: group, By: "test"}
	all := []Place{{0, 0}, {0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 77}, {5, 0}}
	outcomes, err := r.Replay(t.Context(), all...)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := states(outcomes), "0-0 already;0-1 refused;0-2 refused;0-3 refused;0-4 refused;0-77 refused;5-0 refused;0-0 replayed;"; got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if outcomes, err = r.Replay(t.Context(), Place{0, 0}); err != nil || states(outcomes) != "0-0 already;" {
		t.Fatalf("a second time: %s %v", states(outcomes), err)
	}
	got := work(t, k)
	if len(got) != 1 {
		t.Fatalf("%d records went back", len(got))
	}
	want := letter(0, event.WorkTopic)
	if string(got[0].Key) != string(want.Key) || string(got[0].Value) != string(want.Value) {
		t.Errorf("key %q, value %q", got[0].Key, got[0].Value)
	}
	heads := got[0].Headers
	audit := heads[len(heads)-1]
	same := slices.EqualFunc(heads[:len(heads)-1], want.Headers[:3], func(a, b event.Header) bool { return a.Key == b.Key && string(a.Value) == string(b.Value) })
	if !same || audit.Key != AuditHeader || !strings.HasPrefix(string(audit.Value), "canvas.dlq/0-0 ") {
		t.Errorf("headers %q", heads)
	}
	listing, err := List(t.Context(), k, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := Mark(t.Context(), group.Document(BooksName), listing.Letters); err != nil || !listing.Letters[0].Replayed || listing.Letters[1].Replayed {
		t.Errorf("marks: %+v %v", listing.Letters, err)
	}
}

// cutLog writes and then says that it does not know, or says so and writes nothing.
type cutLog struct {
	Log
	writes bool
}

var errCut = errors.New("the connection was cut")

func (c cutLog) Append(ctx context.Context, records ...broker.Record) error {
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
			k := kafkaWith(t, letter(0, event.WorkTopic), letter(1, event.WorkTopic))
			group := local.NewSpace().Coordinator("operator")
			if _, err := (Replayer{Log: cutLog{k, c.writes}, Group: group}).Replay(t.Context(), Place{0, 0}, Place{0, 1}); !errors.Is(err, errCut) {
				t.Fatalf("the cut: %v", err)
			}
			outcomes, err := Replayer{Log: k, Group: group}.Replay(t.Context(), Place{0, 0}, Place{0, 1})
			if err != nil || states(outcomes) != fmt.Sprintf("0-0 %s;0-1 %[1]s;", c.after) {
				t.Errorf("afterwards: %s %v", states(outcomes), err)
			}
			if n := len(work(t, k)); n != 2 {
				t.Errorf("%d records in the work topic, want 2", n)
			}
		})
	}
}

func TestTheBooksHoldExactlyWhatWasAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, want := books{Done: map[int][]event.Range{}}, map[Place]bool{}
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 60), 0, 80).Draw(t, "offsets") {
			p := Place{n % 2, int64(n / 2)}
			k.add(p)
			want[p] = true
		}
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		if k, err = parseBooks(b); err != nil {
			t.Fatal(err)
		}
		for n := range 62 {
			if p := (Place{n % 2, int64(n / 2)}); k.has(p) != want[p] {
				t.Fatalf("%v: %v", p, k.has(p))
			}
		}
		for _, all := range k.Done {
			for n := 1; n < len(all); n++ {
				if all[n].From <= all[n-1].To+1 {
					t.Fatalf("ranges %v are not joined", all)
				}
			}
		}
		first := int64(rapid.IntRange(0, 31).Draw(t, "first"))
		k.forget(map[int]broker.OffsetRange{0: {First: first}, 1: {First: first}})
		for p := range want {
			if p.Offset >= first && !k.has(p) {
				t.Fatalf("%v was forgotten", p)
			}
		}
	})
}

func FuzzAnyLetterCanBeDescribed(f *testing.F) {
	f.Add([]byte("k"), []byte("{}"), "__connect.errors.topic", []byte("canvas.work"))
	f.Add([]byte(nil), []byte(nil), "ce_id", []byte("\xff"))
	f.Fuzz(func(t *testing.T, key, value []byte, name string, head []byte) {
		r := broker.Record{Key: key, Value: value, Headers: []event.Header{{Key: name, Value: head}}}
		l := Describe(r)
		o, err := original(r)
		if err == nil && (o.Topic != l.Topic || string(o.Value) != string(value)) {
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
