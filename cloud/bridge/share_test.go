package bridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/bridge/intake"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// sharing starts one of several bridges over a real MQTT broker, the world's log and store, and a
// coordinator of its own.
func (w *world) sharing(m *brokertest.Mosquitto, c *local.Coordinator, id string) (*bridge.Bridge, func()) {
	w.t.Helper()
	cfg := w.cfg
	cfg.Share = true
	b, err := bridge.New(cfg, bridge.Parts{
		Intake: &intake.MQTT{Options: mqtt.Options{URL: m.URL, ClientID: "canvas-bridge"}, Share: true},
		Log:    w.log, Objects: w.objects, Receipts: w.receipts, Leases: c, Member: coord.Member{ID: id, Role: coord.Bridge},
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)).With("bridge", id),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	stop := sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(stop)
	return b, stop
}

func TestBridgesShareTheEdgesAndTakeOver(t *testing.T) {
	w := newWorld(t)
	m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
	space := local.NewSpace()
	coordinator := func(id string) *local.Coordinator {
		c := space.Coordinator(id)
		t.Cleanup(func() { c.Close() })
		return c
	}
	var edges []*edge
	for n := range 8 {
		e := newEdge(t, site{mqtt: m.URL}, fmt.Sprintf("mast-%d", n))
		edges = append(edges, e)
	}
	seq := uint64(0)
	// round lets each edge send some more, and waits for the receipts.
	round := func() {
		t.Helper()
		for range 20 {
			seq++
			for _, e := range edges {
				e.publish(t, reading(e.name, seq))
			}
		}
		for _, e := range edges {
			w.receipted(e.name, seq)
		}
	}
	carried := func(b *bridge.Bridge) (names []string) {
		for _, s := range b.Status() {
			names = append(names, s.Edge)
		}
		return names
	}

	first, stopFirst := w.sharing(m, coordinator("first"), "first")
	for _, e := range edges {
		e.online(t)
		eventually(t, "the edge is greeted", func() bool { r, _ := w.receipts.of(e.name); return r.Epoch == epoch })
	}
	round()
	if n := len(carried(first)); n != len(edges) {
		t.Fatalf("the first carries %d edges", n)
	}

	second := coordinator("second")
	b, _ := w.sharing(m, second, "second")
	third, stopThird := w.sharing(m, coordinator("third"), "third")
	bridges := []*bridge.Bridge{first, b, third}
	eventually(t, "all three carry some of them, each one once", func() bool {
		var all []string
		for _, b := range bridges {
			names := carried(b)
			if b.Ready() != nil {
				return false
			}
			all = append(all, names...)
		}
		slices.Sort(all)
		return len(all) == len(edges) && len(slices.Compact(all)) == len(edges)
	})
	round()
	stopThird() // in good order
	round()
	second.Close() // its leases are lost
	round()
	stopFirst()
	for range 5 { // nobody is there: the broker keeps it
		seq++
		for _, e := range edges {
			e.publish(t, reading(e.name, seq))
		}
	}
	w.sharing(m, coordinator("fourth"), "fourth")
	round()
	have := map[string][]uint64{}
	for _, r := range w.log.records(event.EventsTopic) {
		i, err := r.Item()
		if err != nil {
			t.Fatal(err)
		}
		have[i.Edge] = append(have[i.Edge], i.Seq)
	}
	for _, e := range edges {
		if !slices.Equal(have[e.name], numbers(1, seq)) {
			t.Errorf("%s: Kafka has %v", e.name, have[e.name])
		}
	}
}

func TestBridgeThatIsConfiguredToBeAloneWaitsForThoseThatShare(t *testing.T) {
	w := newWorld(t)
	m := brokertest.StartMosquitto(t)
	space := local.NewSpace()
	first, second := space.Coordinator("first"), space.Coordinator("second")
	defer first.Close()
	defer second.Close()
	b, stop := w.sharing(m, first, "first")
	eventually(t, "the first works", func() bool { return b.Ready() == nil })
	alone, err := bridge.New(w.cfg, bridge.Parts{Intake: w.broker, Log: w.log, Objects: w.objects, Receipts: w.receipts, Leases: second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := newContext()
	done := make(chan struct{})
	go func() {
		defer close(done)
		alone.Run(ctx)
	}()
	defer func() { cancel(); <-done }()
	eventually(t, "it has the lease", func() bool { o, _ := second.Owners(t.Context()); return o[bridge.Lease].Member == "second" })
	if w.broker.isRunning() {
		t.Error("both carry the same edges")
	}
	stop()
	eventually(t, "it works when the others have gone", w.broker.isRunning)
}
