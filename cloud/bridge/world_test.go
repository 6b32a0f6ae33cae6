package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/shared/event"
)

// world is a bridge among fakes.
type world struct {
	t        testing.TB
	log      *kafkaLog
	broker   *mqttBroker
	objects  *objectStore
	receipts *sentReceipts
	cfg      bridge.Config
	bridge   *bridge.Bridge
	stopped  chan error
	cancel   context.CancelFunc

	decisions bridge.Decisions // of operators
	metrics   prometheus.Registerer
}

func newWorld(t testing.TB) *world {
	cfg := bridge.DefaultConfig()
	cfg.ReceiptEvery, cfg.CheckpointEvery = time.Millisecond, 20*time.Millisecond
	return &world{t: t, log: newKafkaLog(), broker: newMQTTBroker(), objects: newObjectStore(), receipts: &sentReceipts{latest: map[string]event.Receipt{}}, cfg: cfg}
}

func (w *world) start() {
	w.t.Helper()
	b, err := bridge.New(w.cfg, bridge.Parts{
		Intake: w.broker, Log: w.log, Objects: w.objects, Receipts: w.receipts,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Decisions: w.decisions, Metrics: w.metrics,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.bridge, w.cancel, w.stopped = b, cancel, make(chan error, 1)
	go func() { w.stopped <- b.Run(ctx) }()
	w.t.Cleanup(w.stop)
}

func (w *world) stop() {
	w.cancel()
	if w.stopped != nil {
		if err := <-w.stopped; !errors.Is(err, context.Canceled) {
			w.t.Errorf("the bridge ended with %v", err)
		}
		w.stopped = nil
	}
}

// eventually waits until something is true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to be: %s", what)
		}
	}
}

func (w *world) receipted(edge string, through uint64) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("a receipt through %d", through), func() bool {
		r, _ := w.receipts.of(edge)
		return r.Through == through
	})
}

// item is the same one whenever it is made of the same.
func item(edge string, seq uint64, kind event.Kind, data []byte) event.Item {
	hash := event.Sum(fmt.Appendf(nil, "%s %d %s %s", edge, seq, kind, event.Sum(data)))
	i := event.Item{
		ID: ulid.ULID(hash[:16]), Edge: edge, Epoch: epoch, Seq: seq, Kind: kind, Stream: "north", Subject: "north/1",
		Time: time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC), Priority: event.Normal, Type: "application/octet-stream",
		SHA256: event.Sum(data), Data: data,
	}
	if kind == event.Tile {
		i.Attrs = event.Attrs{Scene: "s", Tile: "1_2", Want: "segment"}
	}
	return i
}

func reading(edge string, seq uint64) event.Item {
	return item(edge, seq, event.Reading, fmt.Appendf(nil, `{"n":%d}`, seq))
}

func readings(edge string, from, to uint64) (items []event.Item) {
	for seq := from; seq <= to; seq++ {
		items = append(items, reading(edge, seq))
	}
	return items
}

// inParts is an item as the uplink sends it when it is large.
func inParts(whole event.Item, size int) (parts []event.Item) {
	n := (len(whole.Data) + size - 1) / size
	for at := range n {
		p := whole
		p.Kind = event.Part
		p.Attrs.PartOf, p.Attrs.Part, p.Attrs.Parts = whole.Kind, uint32(at), uint32(n)
		p.Data = whole.Data[at*size : min((at+1)*size, len(whole.Data))]
		parts = append(parts, p)
	}
	return parts
}

func numbers(from, to uint64) (n []uint64) {
	for ; from <= to; from++ {
		n = append(n, from)
	}
	return n
}
