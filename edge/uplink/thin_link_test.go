package uplink

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	mqttlink "cloudcanvas/edge/uplink/link"
	"cloudcanvas/edge/uplink/uplinktest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/soak"
)

// cloud takes what comes to the embedded broker by way of a bad link, and gives receipts.
type cloud struct {
	proxy *toxiproxy.Proxy
	link  *mqttlink.Link
	far   *mqtt.Client

	mu    sync.Mutex
	at    map[uint64]time.Time // when an item was whole
	parts map[uint64]map[uint32]int
	come  chan struct{}
}

const testEpoch = "0123456789abcdef"

func newCloud(t *testing.T) *cloud {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	embedded, err := mqtt.Embed(mqtt.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embedded.Close() })
	near, err := url.Parse(embedded.URL())
	if err != nil {
		t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	c := &cloud{proxy: toxiproxy.NewProxy(server, "link", "127.0.0.1:0", near.Host), at: map[uint64]time.Time{}, parts: map[uint64]map[uint32]int{}, come: make(chan struct{}, 1)}
	if err := c.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.proxy.Stop)
	c.far, err = mqtt.Dial(t.Context(), mqtt.Options{URL: embedded.URL(), ClientID: "bridge", Persistent: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.far.Close)
	c.far.Subscribe("canvas/v1/mast/up/#", 1, c.take)
	c.link, err = mqttlink.Dial(t.Context(), mqttlink.Options{URL: "tcp://" + c.proxy.Listen, Edge: "mast", Buffer: noTrouble{}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.link.Close)
	<-c.link.Up()
	return c
}

// thin bounds what goes up, in kB per second.
func (c *cloud) thin(t *testing.T, rate int) {
	t.Helper()
	toxic := fmt.Sprintf(`{"type":"bandwidth","stream":"upstream","attributes":{"rate":%d}}`, rate)
	if _, err := c.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		t.Fatal(err)
	}
}

// noTrouble is a buffer of one epoch.
type noTrouble struct{}

func (noTrouble) Epoch() event.Epoch          { return testEpoch }
func (noTrouble) Epochs() []event.EpochReport { return []event.EpochReport{{Epoch: testEpoch}} }
func (noTrouble) Troubles() []event.Trouble   { return nil }

// take plays the bridge: it keeps parts and says which it holds, and gives a receipt for what is whole.
func (c *cloud) take(m mqtt.Message) {
	i, err := event.UnmarshalMQTT(m.Payload)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := event.Receipt{Epoch: testEpoch}
	if i.Kind == event.Part {
		have := c.parts[i.Seq]
		if have == nil {
			have = map[uint32]int{}
		}
		have[i.Attrs.Part]++
		c.parts[i.Seq] = have
		held := event.PartsHeld{Seq: i.Seq, Of: i.Attrs.Parts}
		for n := range i.Attrs.Parts {
			if have[n] > 0 {
				held.Have = append(held.Have, event.Range{From: uint64(n), To: uint64(n)})
			}
		}
		if len(held.Have) < int(i.Attrs.Parts) {
			r.Parts = []event.PartsHeld{held}
		}
	}
	if len(r.Parts) == 0 {
		c.at[i.Seq] = time.Now()
		r.Above = []event.Range{{From: i.Seq, To: i.Seq}}
	}
	if down, err := r.Item("mast", time.Now()); err == nil {
		if payload, err := down.MarshalMQTT(); err == nil {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				c.far.Publish(ctx, event.ReceiptsTopic("mast"), 1, false, payload)
			}()
		}
	}
	select {
	case c.come <- struct{}{}:
	default:
	}
}

// wait ends when the cloud has an item.
func (c *cloud) wait(t *testing.T, seq uint64) time.Time {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		c.mu.Lock()
		at, ok := c.at[seq]
		c.mu.Unlock()
		if ok {
			return at
		}
		select {
		case <-c.come:
		case <-late:
			t.Fatalf("item %d does not come", seq)
		}
	}
}

func sample(seq uint64, p event.Priority, k event.Kind, size int) event.Item {
	i := item(seq, p, size)
	i.ID, i.Edge, i.Epoch, i.Kind, i.Stream, i.Subject, i.Time = event.NewID(time.Now()), "mast", testEpoch, k, "cam", "cam", time.Now()
	i.Type, i.SHA256 = "application/octet-stream", event.Sum(i.Data)
	return i
}

func TestAlertsPassALargeItemOverAThinConnection(t *testing.T) {
	c := newCloud(t)
	c.thin(t, 20)
	b := uplinktest.NewBox(sample(1, event.Normal, event.Tile, 8<<20)) // seven minutes
	_, stop := running(t, b, c.link, DefaultConfig(), Options{})
	defer stop()
	for n := range uint64(3) {
		select { // the large item goes on meanwhile
		case <-time.After(time.Second):
		case <-t.Context().Done():
		}
		born := time.Now()
		b.Add(sample(10+n, event.Urgent, event.Alert, 400))
		if took := c.wait(t, 10+n).Sub(born); soak.Timed() && took > 2500*time.Millisecond {
			t.Errorf("alert %d came after %s", n, took)
		}
		if !b.Waits(1) {
			t.Errorf("alert %d came behind the large item", n)
		}
	}
}

func TestACutConnectionCostsOnlyWhatWasUnderWay(t *testing.T) {
	c := newCloud(t)
	c.thin(t, 300)
	config := DefaultConfig()
	config.Window = 4
	b := uplinktest.NewBox(sample(1, event.Normal, event.Tile, 600<<10))
	_, stop := running(t, b, c.link, config, Options{})
	defer stop()
	for held := 0; held < 3; { // some parts are there
		<-c.come
		c.mu.Lock()
		held = len(c.parts[1])
		c.mu.Unlock()
	}
	listen := c.proxy.Listen
	c.proxy.Stop()
	c.proxy.Listen = listen
	if err := c.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	c.wait(t, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	again := 0
	for _, times := range c.parts[1] {
		again += times - 1
	}
	if again > config.Window {
		t.Errorf("%d parts came again, %d were under way at most", again, config.Window)
	}
}
