package bridge_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// counter is a metric's value by its labels.
func counter(t *testing.T, from prometheus.Gatherer, name string) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetValue())
			}
			values[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	return values
}

func TestABlockedEdgeIsRefusedAndKeepsItsItems(t *testing.T) {
	w := newWorld(t)
	registry := prometheus.NewRegistry()
	group := local.NewSpace().Coordinator("operator")
	w.decisions, w.metrics = group, registry
	w.start()
	w.broker.send(t, reading("mast", 1), reading("vessel", 1))
	w.receipted("mast", 1)
	if err := blocklist.Block(t.Context(), group, "mast", blocklist.Entry{By: "o"}); err != nil {
		t.Fatal(err)
	}
	sent := 0
	eventually(t, "the bridge refuses", func() bool {
		sent++
		w.broker.publish("canvas/v1/mast/up/2/reading", fmt.Appendf(nil, "junk %d", sent))
		time.Sleep(5 * time.Millisecond)
		return counter(t, registry, "canvas_bridge_blocked_messages_total")["mast"] > 0
	})
	deadLetters := len(w.log.records(event.DLQTopic))
	w.broker.send(t, reading("mast", 2), reading("vessel", 2))
	w.broker.publish("canvas/v1/mast/up/9/nonsense", []byte("x"))
	w.receipted("vessel", 2)
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 5+sent })
	if r, _ := w.receipts.of("mast"); r.Has(2) {
		t.Error("a blocked edge gets a receipt")
	}
	if n := len(w.log.records(event.DLQTopic)); n != deadLetters {
		t.Errorf("a blocked edge has made %d dead letters", n-deadLetters)
	}
	if err := blocklist.Unblock(t.Context(), group, "mast"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what it kept arrives", func() bool {
		w.broker.send(t, reading("mast", 2))
		time.Sleep(5 * time.Millisecond)
		r, _ := w.receipts.of("mast")
		return r.Through == 2
	})
}

func TestAnItemThatAnOperatorPutBackIsRecognisedWhenItComesAgain(t *testing.T) {
	w := newWorld(t)
	group := local.NewSpace().Coordinator("operator")
	w.decisions = group
	w.start()
	w.broker.send(t, reading("mast", 1))
	w.receipted("mast", 1)
	second := reading("mast", 2)
	payload, err := second.MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	dead := kafka.Record{Topic: event.DLQTopic, Value: payload, Headers: deadletter.Cause{Topic: "canvas/v1/mast/up/2/reading", Offset: -1, Reason: "x"}.Headers()}
	if err := w.log.Append(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	a := deadletter.Actions{Log: w.log, Group: group, Checks: bridge.Checks{}, By: "o"}
	outcomes, err := a.Replay(t.Context(), deadletter.Place{})
	if err != nil || len(outcomes) != 1 || outcomes[0].State != deadletter.Replayed {
		t.Fatalf("%+v %v", outcomes, err)
	}
	w.receipted("mast", 2)
	w.broker.send(t, second, reading("mast", 3))
	w.receipted("mast", 3)
	seqs := w.log.seqs(t, event.EventsTopic)
	slices.Sort(seqs)
	if !slices.Equal(seqs, numbers(1, 3)) {
		t.Errorf("Kafka has %v", seqs)
	}
}

func TestWhatIsPutBackPassesTheChecksOfTheBridge(t *testing.T) {
	good := reading("mast", 1)
	payload, err := good.MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	product := good
	product.Kind = event.Product
	c := bridge.Checks{Edges: []string{"mast-*", "mast"}, Blocked: func(edge string) bool { return edge == "mast-9" }}
	if _, err := c.Message("canvas/v1/mast/up/2/reading", payload); err != nil {
		t.Error(err)
	}
	if err := c.Item(good); err != nil {
		t.Error(err)
	}
	for topic, want := range map[string]string{
		"canvas/v1/vessel/up/2/reading": "not among those", "canvas/v1/mast-9/up/2/reading": "blocked", "canvas/v1/mast/up/1/reading": "disagree",
		"canvas/v1/mast/status": "status, not an item", "canvas/v1/mast/up/2/parcel": "unknown kind",
	} {
		if _, err := c.Message(topic, payload); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", topic, err, want)
		}
	}
	stranger, blocked, spoiled := good, good, good
	stranger.Edge, blocked.Edge, spoiled.Data = "vessel", "mast-9", []byte("other")
	for want, i := range map[string]event.Item{"not made on an edge": product, "not among those": stranger, "blocked": blocked, "sha256": spoiled} {
		if err := c.Item(i); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestAFloodOfDeadLettersIsCountedSampledAndTold(t *testing.T) {
	w := newWorld(t)
	registry := prometheus.NewRegistry()
	w.metrics = registry
	w.cfg.DeadLetters.PerHour = 10
	w.start()
	const flood = 500
	for n := range flood {
		w.broker.publish("canvas/v1/mast/up/2/reading", fmt.Appendf(nil, "junk %d", n))
	}
	w.broker.publish("canvas/v1/vessel/up/2/reading", []byte("junk of another"))
	w.broker.send(t, reading("vessel", 1))
	w.receipted("vessel", 1)
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == flood+2 })
	w.stop()
	kept, told := 0, uint64(0)
	for _, r := range w.log.records(event.DLQTopic) {
		l := deadletter.Describe(r)
		if l.Stands == 0 {
			kept++
			continue
		}
		told += l.Stands
		var summary struct {
			Edge    string
			Count   uint64
			First   struct{ Topic, Reason string }
			Last    struct{ Topic, Reason string }
			Reasons map[string]uint64
		}
		if err := json.Unmarshal(r.Value, &summary); err != nil {
			t.Fatal(err)
		}
		sum := uint64(0)
		for n := range maps.Values(summary.Reasons) {
			sum += n
		}
		if summary.Edge != "mast" || summary.Count != l.Stands || sum != l.Stands || summary.First.Reason == "" || summary.Last.Topic != "canvas/v1/mast/up/2/reading" || !strings.Contains(l.Reason, "edge mast") || l.Edge != "mast" {
			t.Errorf("%+v, %s", summary, l.Reason)
		}
	}
	if uint64(kept)+told != flood+1 || kept > 25 {
		t.Errorf("%d dead letters are kept and %d summed up, want %d together", kept, told, flood+1)
	}
	if got := counter(t, registry, "canvas_bridge_dead_letters_total"); got["mast event.ErrMalformed"] != flood || got["vessel event.ErrMalformed"] != 1 {
		t.Errorf("counted: %v", got)
	}
}

func TestPoisonBeyondTheBoundIsNotSettled(t *testing.T) {
	w := newWorld(t)
	w.cfg.DeadLetters.PerHour = 1
	w.start()
	var spoiled [][]byte
	for n := range uint64(4) {
		payload, err := reading("mast", n+1).MarshalMQTT()
		if err != nil {
			t.Fatal(err)
		}
		spoiled = append(spoiled, []byte(strings.Replace(string(payload), fmt.Sprintf(`{"n":%d}`, n+1), `{"n":x}`, 1)))
	}
	for range 3 {
		for _, s := range spoiled {
			w.broker.publish("canvas/v1/mast/up/2/reading", []byte(string(s)))
		}
	}
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 12 })
	kept := 0
	for _, r := range w.log.records(event.DLQTopic) {
		if deadletter.Describe(r).Stands == 0 {
			kept++
		}
	}
	r, _ := w.receipts.of("mast")
	settled := 0
	for n := range uint64(4) {
		if r.Has(n + 1) {
			settled++
		}
	}
	if settled > kept {
		t.Errorf("%d numbers are settled, %d dead letters are kept", settled, kept)
	}
}
