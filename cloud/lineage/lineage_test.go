package lineage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

func TestATilesHistoryGoesFromCaptureToProduct(t *testing.T) {
	w := newWorld(t)
	in := w.tile("alpha", "3_4")
	other := w.tile("alpha", "3_5")
	w.came(in, other, w.manifest("alpha", event.TileDecision{Tile: "3_4", Decision: event.TileSent, Value: 0.83, Cloud: 0.1}))
	w.write(found(other), found(in, event.Header{Key: leaseHeader, Value: []byte("41")}, event.Header{Key: workerHeader, Value: []byte("gpu-2")}))
	w.came(w.product("alpha", "3_5"))

	result := event.ResultID(in.ID, "ukis", "3").String()
	for _, name := range []string{in.ID.String(), strings.ToLower(in.ID.String()), fmt.Sprintf("mast-7/%s/%d", w.epoch, in.Seq), "alpha/3_4", result} {
		s := w.ask(name)
		var what []string
		for _, st := range s.Steps {
			what = append(what, st.What)
		}
		want := "captured, screened, committed, received by the bridge, looked at by a worker, product published"
		if got := strings.Join(what, ", "); got != want || s.State != InProduct || s.ID != in.ID.String() || s.Trace != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("%s: %s\n%+v", name, got, s)
			continue
		}
		if seen := s.step("looked at by a worker"); seen.Model != "ukis" || seen.ModelVersion != "3" || seen.Worker != "gpu-2" || seen.Lease != "41" || seen.Topic != event.ResultsTopic {
			t.Errorf("%s: %+v", name, seen)
		}
		if came := s.step("received by the bridge"); came.Topic != event.WorkTopic || came.Clock != kafkaClock || came.At.IsZero() || came.Partition != kafka.PartitionOf(in.ID.String(), 3) {
			t.Errorf("%s: %+v", name, came)
		}
	}
	if s := w.ask("alpha/3_5"); s.State != HasResult || s.step("product published") != nil {
		t.Errorf("a tile that the product says is missing: %+v", s)
	}
}

func TestRecordsUnderKeysWithoutTheEdgeAreFound(t *testing.T) {
	w := newWorld(t)
	for n := range 6 { // in several partitions
		scene := fmt.Sprint("old-", n)
		in := w.tile(scene, "0_0")
		w.came(in)
		result, product := found(in), kafka.RecordOf(w.product(scene))
		result.Key, product.Key = []byte(scene), []byte(scene)
		others := w.product(scene)
		others.Edge, others.Data = "mast-8", []byte(strings.ReplaceAll(string(others.Data), "mast-7", "mast-8"))
		w.write(result, product)
		w.came(others)
		s := w.ask(in.ID.String())
		if made := s.step("product published"); s.State != InProduct || s.step("looked at by a worker") == nil || made == nil || made.Partition != kafka.PartitionOf(scene, 3) {
			t.Errorf("%s: %+v", scene, s)
		}
	}
}

func TestATileThatOneEdgeSentAndAnotherLeftOutHasBothStories(t *testing.T) {
	w := newWorld(t)
	in := w.tile("alpha", "0_0")
	others := w.manifest("alpha", event.TileDecision{Tile: "0_0", Decision: event.TileDropped, Reason: event.DroppedCloud, Cloud: 1})
	others.Edge = "mast-8"
	w.came(in, w.manifest("alpha", event.TileDecision{Tile: "0_0", Decision: event.TileSent, Value: 0.9}), others)
	histories, err := w.finder.Find(t.Context(), Query{Subject: "alpha/0_0"}, 0)
	if err != nil || len(histories) != 2 || histories[0].Edge != "mast-7" || histories[0].State == NotSent || histories[1].Edge != "mast-8" || histories[1].State != NotSent {
		t.Errorf("%v %+v", err, histories)
	}
}

func TestAWorkerIsNamedByItsLeaseWhereItsResultDoesNot(t *testing.T) {
	w := newWorld(t)
	in := w.tile("alpha", "0_0")
	w.came(in)
	w.write(found(in, event.Header{Key: leaseHeader, Value: []byte("77")}))
	if seen := w.ask("alpha/0_0").step("looked at by a worker"); seen == nil || seen.Worker != "gpu-1" {
		t.Errorf("%+v", seen)
	}
}

func TestAnItemThatNobodyHasFinishedNamesItsWorker(t *testing.T) {
	w := newWorld(t)
	in := w.tile("alpha", "0_0")
	w.came(in)
	s := w.ask(in.ID.String())
	if step := s.step("waits for its worker"); s.State != Waiting || step == nil || step.Worker != "gpu-1" || step.Lease != "77" || !strings.Contains(s.Why, "0 items are before it") {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsNoProductEndsWithItsReason(t *testing.T) {
	w := newWorld(t)
	poison, torn := w.tile("alpha", "1_0"), w.tile("alpha", "1_1")
	deadLetter := w.dead(kafka.RecordOf(poison), event.WorkTopic, "canvas-worker", "decoding: not a TIFF file")
	message, err := event.Item(torn).MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	given := w.dead(kafka.Record{Key: []byte("mast-7"), Value: message}, "canvas/v1/mast-7/up/2/tile", "canvas-bridge", "the topic and the envelope disagree")
	w.seq += 5
	dropped := w.seq
	w.came(poison, w.manifest("alpha", event.TileDecision{Tile: "2_2", Decision: event.TileDropped, Reason: "cloud", Cloud: 0.97}),
		w.item(event.Ack, "outbox", "drops", event.Attrs{}, fmt.Appendf(nil, `{"drops":[{"seq":%d,"kind":"frame","stream":"gate","bytes":900,"reason":"expired"}]}`, dropped)))
	w.write(deadLetter, given)
	for _, c := range []struct{ name, state, why string }{
		{poison.ID.String(), Dead, "decoding: not a TIFF file"},
		{torn.ID.String(), Dead, "the topic and the envelope disagree"},
		{"alpha/1_1", Dead, "the topic and the envelope disagree"},
		{"alpha/2_2", NotSent, "cloud: the edge saw 97 % cloud"},
		{fmt.Sprintf("mast-7/%s/%d", w.epoch, dropped), Dropped, "expired"},
	} {
		if s := w.ask(c.name); s.State != c.state || !strings.Contains(s.Why, c.why) || len(s.Steps) == 0 {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

func TestADetectionMadeOnTheEdgeIsReceivedAndInItsCamerasRecord(t *testing.T) {
	w := newWorld(t)
	in := w.item(event.Result, "gate", "gate", event.Attrs{Model: "yolox", ModelVersion: "1"}, []byte(`{"camera":"gate"}`))
	w.came(in)
	data := fmt.Appendf(nil, `{"kind":"camera","name":"gate","edge":"mast-7","folder":"gate","complete":true,"camera":{"epoch":%q,"through":%d}}`, w.epoch, in.Seq)
	record := event.Item{ID: event.NewID(time.Now()), Edge: "mast-7", Kind: event.Product, Stream: "gate", Subject: "gate", Time: time.Now(), Type: "application/json", Data: data, SHA256: event.Sum(data)}
	w.came(record)
	late := w.item(event.Result, "gate", "gate", event.Attrs{Model: "yolox", ModelVersion: "1"}, []byte(`{"camera":"gate"}`))
	w.came(late)
	if s := w.ask(in.ID.String()); s.State != InProduct || s.step("received by the bridge") == nil || s.step("product published") == nil {
		t.Errorf("%+v", s)
	}
	if s := w.ask(late.ID.String()); s.State != Received {
		t.Errorf("an item after the record's end: %+v", s)
	}
}

func TestTheBooksOfTheBridgeAnswerForNumbersThatKafkaDoesNotShow(t *testing.T) {
	w := newWorld(t)
	w.finder.Epochs = func(context.Context) ([]EpochState, error) {
		return []EpochState{{Edge: "mast-7", Epoch: "e1", Through: 4, Highest: 9, Gaps: []event.Range{{From: 5, To: 6}}}}, nil
	}
	for _, c := range []struct {
		seq   int
		state string
	}{{3, Received}, {5, Missing}, {7, Received}, {10, Missing}} {
		if s := w.ask(fmt.Sprintf("mast-7/e1/%d", c.seq)); s.State != c.state || s.Why == "" {
			t.Errorf("%d: %+v", c.seq, s)
		}
	}
}

func TestWhatIsUnknownIsSaidToBe(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{event.NewID(time.Now()).String(), "mast-7/e1/10", "alpha/9_9", "nothing"} {
		q, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.finder.Find(t.Context(), q, 0); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "--since") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "  ", strings.Repeat("x", maxQuery+1)} {
		if _, err := Parse(text); !errors.Is(err, ErrQuery) {
			t.Errorf("%.10q: %v", text, err)
		}
	}
}

// counting counts the records that are read.
type counting struct {
	Log
	read atomic.Int64
}

func (c *counting) Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error {
	return c.Log.Scan(ctx, topic, partition, from, to, func(r kafka.Record) error {
		c.read.Add(1)
		return handle(r)
	})
}

func TestReadingBeginsAtTheItemsTime(t *testing.T) {
	w := newWorld(t)
	old := &kafkago.Writer{Addr: kafkago.TCP(w.brokers...), Topic: event.WorkTopic, Balancer: &kafkago.Hash{}, RequiredAcks: kafkago.RequireAll, BatchTimeout: time.Millisecond}
	defer old.Close()
	for n := range 300 { // each in a batch of its own, as Kafka's index of times knows batches
		key := fmt.Sprint(n)
		if err := old.WriteMessages(t.Context(), kafkago.Message{Key: []byte(key), Value: []byte("x"), Time: time.Now().Add(-5 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	in := w.tile("new", "0_0")
	w.came(in)
	count := &counting{Log: w.k}
	w.finder.Log = count
	if s := w.ask(in.ID.String()); s.State != Waiting {
		t.Errorf("%+v", s)
	}
	if n := count.read.Load(); n > 10 {
		t.Errorf("%d records were read to find one", n)
	}
}

func TestAnItemOfAClockThatIsAheadIsFound(t *testing.T) {
	w := newWorld(t)
	in := w.tile("alpha", "0_0")
	in.ID = event.NewID(time.Now().AddDate(3, 0, 0))
	w.came(in)
	if s := w.ask(in.ID.String()); s.State != Waiting {
		t.Errorf("%+v", s)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("01ARZ3NDEKTSV4RRFFQ69G5FAV")
	f.Add("mast-7/0123456789abcdef/12")
	f.Add("alpha/3_4")
	f.Add("00000000000000000000000000")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(q.String()); err != nil || again != q {
			t.Errorf("%q is %+v, and that is %+v (%v)", text, q, again, err)
		}
	})
}
