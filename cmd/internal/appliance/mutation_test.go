package appliance

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/edge"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/soak"
)

// TestMutatedItemsStopNobody sends what a device made, changed where it hurts, under other devices'
// names through the whole appliance: nothing ends, what is left of each item is in Kafka or among the
// dead letters, and an honest device has its receipts all the while: within 5 s in the long form, which
// is measured without the race detector (make soak).
func TestMutatedItemsStopNobody(t *testing.T) {
	items, limit := 3_000, time.Minute
	if soak.Asked() {
		items = 200_000
	}
	if soak.Timed() {
		limit = 5 * time.Second
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	a := startForMutants(t)
	m := newMutator(seed, deviceItems(t, a, "coast"))

	honest := newHonest(t, a, "honest-1")
	defer honest.stop()
	sender, err := mqtt.Dial(t.Context(), mqtt.Options{URL: a.mqtt.URL(), ClientID: "mutants"})
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	for !sender.Connected() {
		time.Sleep(10 * time.Millisecond)
	}
	var flying sync.WaitGroup
	room := make(chan struct{}, 64)
	for n := range items {
		edge := fmt.Sprintf("mutant-%d", n%4)
		i, wire := m.next(edge, event.Epoch(fmt.Sprintf("%016x", n%4+1)), uint64(n/4+1))
		room <- struct{}{}
		flying.Go(func() {
			defer func() { <-room }()
			if err := sender.Publish(t.Context(), event.Topic(edge, i.Priority, i.Kind), 1, false, wire); err != nil {
				t.Errorf("item %d of kind %s was not taken: %v", n, i.Kind, err)
			}
		})
		select {
		case <-a.Failed():
			t.Fatalf("the appliance ended after item %d (%s, %.300q): %v", n, i.Kind, i.Data, a.Stop())
		default:
		}
	}
	flying.Wait()
	honest.settle(limit + 2*time.Minute)
	if soak.Timed() && honest.longest > limit {
		t.Errorf("an honest item waited %s for its receipt", honest.longest)
	}
	made := settled(t, a)
	t.Logf("%d mutants, %d products; the longest wait of %d honest items was %s; peak memory %s", items, made, honest.sent, honest.longest, peak())
	select {
	case <-a.Failed():
		t.Fatal(a.Stop())
	case <-time.After(time.Second):
	}
}

// settled waits until the mosaic makes no more products, and counts them.
func settled(t *testing.T, a *Appliance) (products int64) {
	t.Helper()
	for since := time.Now(); time.Since(since) < 3*time.Second; time.Sleep(100 * time.Millisecond) {
		offsets, err := a.Kafka.Offsets(t.Context(), event.ProductsTopic)
		if err != nil {
			t.Fatal(err)
		}
		now := int64(0)
		for _, o := range offsets {
			now += o.End
		}
		if now != products {
			products, since = now, time.Now()
		}
	}
	return products
}

func startForMutants(t *testing.T) *Appliance {
	t.Helper()
	models, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Edge: edge.DefaultConfig(), Cloud: cloud.DefaultConfig(), Work: t.TempDir(), Models: models, Log: slog.New(slog.DiscardHandler)}
	o.Edge.Edge = "mast-7"
	scene := edge.SceneSource{Name: "coast", Path: sample(t, "sentinel2.tif")}
	scene.SetDefaults()
	o.Edge.Scenes = []edge.SceneSource{scene}
	o.Cloud.Products = t.TempDir()
	o.Cloud.Worker.Models = []worker.Choice{{Want: "segment", Model: worker.SpectralRGB}}
	o.Cloud.Mosaic.Settle, o.Cloud.Mosaic.Deadline = 200*time.Millisecond, 2*time.Second
	a, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop() })
	return a
}

// deviceItems are what the appliance's own device sent, and what the cloud made of it.
func deviceItems(t *testing.T, a *Appliance, scene string) []event.Item {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		var seeds []event.Item
		kinds := map[event.Kind]bool{}
		for _, topic := range []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.ProductsTopic} {
			offsets, err := a.Kafka.Offsets(ctx, topic)
			if err != nil {
				continue // nothing was there to be written yet
			}
			for p, o := range offsets {
				if err := a.Kafka.Scan(ctx, topic, p, o.First, o.End, func(r kafka.Record) error {
					if i, err := r.Item(); err == nil && i.Attrs.DataRef == "" {
						kinds[i.Kind] = true
						seeds = append(seeds, i)
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if kinds[event.Scene] && kinds[event.Tile] && kinds[event.Product] {
			return append(seeds, otherItems()...)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the device's scene %s did not become a product: %v", scene, kinds)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// otherItems are of the kinds that a scene does not have.
func otherItems() []event.Item {
	made := func(kind event.Kind, stream, subject, data string) event.Item {
		return event.Item{Kind: kind, Stream: stream, Subject: subject, Time: time.Now().UTC(), Priority: event.Normal, Type: "application/json", Data: []byte(data)}
	}
	one := made(event.Scene, "field", "field", `{"id":"field","width":200,"height":200,"bands":["blue"],"data_type":"Byte","georef":{"wkt":"","epsg":32633,"transform":[500000,10,0,5000000,0,-10]},`+
		`"grid":{"size":256,"overlap":24,"margin":28,"cols":1,"rows":1},"file_bytes":1,"screening":"x","tiles":[{"tile":"0_0","decision":"dropped","reason":"nodata","cloud":0,"nodata":1,"value":0,"bytes":0}],"model":""}`)
	one.Attrs.Scene = "field"
	batch := `{"camera":"gate","frames":[{"frame":0,"time":"2026-01-01T00:00:00Z","width":640,"height":480,"detections":[{"label":"person","score":0.9,"box":[1,2,30,40]}]}]}`
	return []event.Item{
		one,
		made(event.Reading, "boiler", "boiler", `{"sensor":"boiler","time":"2026-01-01T00:00:00Z","values":{"n":1,"celsius":80.5}}`),
		made(event.Alert, "boiler", "boiler/celsius", `{"sensor":"boiler","value":"celsius","state":"new","reading":99.5,"limit":90}`),
		made(event.Track, "gate", "gate/batch", batch),
		made(event.Track, "gate", "gate/1", `{"type":"new","before":null,"after":{"id":"1","camera":"gate","label":"person","score":0.9,"box":[1,2,30,40]}}`),
		made(event.Ack, "outbox", "drops", `{"drops":[{"seq":3,"kind":"tile","stream":"s","bytes":10,"reason":"quota"}]}`),
	}
}

// honest is a device of its own that sends a reading every so often and waits for its receipt.
type honest struct {
	t       *testing.T
	client  *mqtt.Client
	name    string
	stop    context.CancelFunc
	done    chan struct{}
	mu      sync.Mutex
	waiting map[uint64]time.Time
	sent    uint64
	longest time.Duration
}

func newHonest(t *testing.T, a *Appliance, name string) *honest {
	t.Helper()
	h := &honest{t: t, name: name, waiting: map[uint64]time.Time{}, done: make(chan struct{})}
	var err error
	if h.client, err = mqtt.Dial(t.Context(), mqtt.Options{URL: a.mqtt.URL(), ClientID: name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.client.Close)
	stands := make(chan struct{})
	var once sync.Once
	h.client.SubscribeThen(event.ReceiptsTopic(name), 1, func(m mqtt.Message) {
		i, err := event.UnmarshalMQTT(m.Payload)
		if err != nil {
			return
		}
		if r, err := event.ParseReceipt(i); err == nil {
			h.received(r)
		}
	}, func() { once.Do(func() { close(stands) }) })
	<-stands
	ctx, stop := context.WithCancel(t.Context())
	h.stop = func() { stop(); <-h.done }
	go h.send(ctx)
	return h
}

func (h *honest) send(ctx context.Context) {
	defer close(h.done)
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		h.mu.Lock()
		h.sent++
		seq := h.sent
		h.waiting[seq] = time.Now()
		h.mu.Unlock()
		data := fmt.Appendf(nil, `{"sensor":"gauge","time":%q,"values":{"n":%d}}`, time.Now().UTC().Format(time.RFC3339Nano), seq)
		i := event.Item{ID: event.NewID(time.Now()), Edge: h.name, Epoch: "00c0ffee00c0ffee", Seq: seq, Kind: event.Reading, Stream: "gauge", Subject: "gauge",
			Time: time.Now().UTC(), Priority: event.Normal, Type: "application/json", SHA256: event.Sum(data), Data: data}
		wire, err := i.MarshalMQTT()
		if err == nil {
			err = h.client.Publish(h.t.Context(), event.Topic(h.name, i.Priority, i.Kind), 1, false, wire)
		}
		if err != nil {
			h.t.Errorf("an honest reading was not taken: %v", err)
		}
	}
}

func (h *honest) received(r event.Receipt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for seq, at := range h.waiting {
		if r.Has(seq) {
			h.longest = max(h.longest, time.Since(at))
			delete(h.waiting, seq)
		}
	}
}

// settle stops sending and waits for the last receipts.
func (h *honest) settle(limit time.Duration) {
	h.t.Helper()
	h.stop()
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		h.mu.Lock()
		left := len(h.waiting)
		h.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d of %d honest readings have no receipt", left, h.sent)
		}
	}
}

// peak is the most memory that this process had.
func peak() string {
	status, _ := os.ReadFile(filepath.Join("/proc/self", "status"))
	for _, line := range strings.Split(string(status), "\n") {
		if name, value, _ := strings.Cut(line, ":"); name == "VmHWM" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
