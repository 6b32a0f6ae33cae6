package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// clone is a device as programs that name their epochs make it, as far as the bridge sees it: what it
// commits has an epoch and a number; a receipt that names another item under one of its numbers makes
// it begin a new epoch and send what waits again.
type clone struct {
	t          testing.TB
	name       string
	client     *mqtt.Client
	mu         sync.Mutex
	epoch      event.Epoch
	epochs     []event.Epoch // all so far, the current one first
	next       uint64
	connection uint64
	waiting    []event.Item
	begun      int
	twin       event.Epoch
}

func newClone(t testing.TB, at site, name, client string, epoch event.Epoch, next uint64) *clone {
	c := &clone{t: t, name: name, epoch: epoch, epochs: []event.Epoch{epoch}, next: next}
	var err error
	c.client, err = mqtt.Dial(t.Context(), mqtt.Options{URL: at.mqtt, ClientID: client, Persistent: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.client.Close)
	c.client.Subscribe(event.ReceiptsTopic(name), 1, c.hear)
	eventually(t, "the device is connected", c.client.Connected)
	return c
}

// commit gives items a number.
func (c *clone) commit(texts ...string) {
	for _, text := range texts {
		i := item(c.name, 1, event.Reading, []byte(text))
		i.ID = event.NewID(time.Now())
		c.wait(i)
	}
}

// wait gives an item a number.
func (c *clone) wait(i event.Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i.Epoch, i.Seq = c.epoch, c.next
	c.next++
	c.waiting = append(c.waiting, i)
}

// begin begins an epoch.
func (c *clone) begin(e event.Epoch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch, c.next = e, 1
	c.epochs = append([]event.Epoch{e}, c.epochs...)
}

func (c *clone) online() {
	c.mu.Lock()
	c.connection++
	s := event.Status{Status: event.Online, Edge: c.name, Epoch: c.epoch, Version: "test", Connection: c.connection}
	for _, e := range c.epochs {
		s.Epochs = append(s.Epochs, event.EpochReport{Epoch: e})
	}
	c.mu.Unlock()
	payload, _ := json.Marshal(s)
	if err := c.client.Publish(c.t.Context(), event.StatusTopic(c.name), 1, true, payload); err != nil {
		c.t.Error(err)
	}
}

func (c *clone) hear(m mqtt.Message) {
	i, err := event.UnmarshalMQTT(m.Payload)
	if err != nil {
		c.t.Error(err)
		return
	}
	r, err := event.ParseReceipt(i)
	if err != nil {
		c.t.Error(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Twin != "" && r.Epoch == c.epoch {
		c.twin = r.Twin
	}
	refused := false
	for _, k := range append([]event.Known{}, r.Conflicts...) {
		for _, w := range c.waiting {
			refused = refused || w.Epoch == r.Epoch && w.Seq == k.Seq && w.ID != k.ID
		}
	}
	if refused { // nothing of that epoch is believed: it goes again, in a new one
		c.begun++
		c.epoch, c.next = event.NewEpoch(), 1
		c.epochs = append([]event.Epoch{c.epoch}, c.epochs...)
		for n := range c.waiting {
			c.waiting[n].Epoch, c.waiting[n].Seq = c.epoch, c.next
			c.next++
		}
		return
	}
	var left []event.Item
	for _, w := range c.waiting {
		if w.Epoch != r.Epoch || !r.Has(w.Seq) {
			left = append(left, w)
		}
	}
	c.waiting = left
}

// drain sends what waits until nothing does.
func (c *clone) drain() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	for {
		c.mu.Lock()
		waiting := append([]event.Item{}, c.waiting...)
		c.mu.Unlock()
		if len(waiting) == 0 {
			return
		}
		for _, i := range waiting {
			payload, err := i.MarshalMQTT()
			if err == nil {
				err = c.client.Publish(ctx, event.Topic(i.Edge, i.Priority, i.Kind), 1, false, payload)
			}
			if err != nil {
				c.t.Fatal(err)
			}
		}
		for until := time.Now().Add(2 * time.Second); time.Now().Before(until) && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			c.mu.Lock()
			n := len(c.waiting)
			c.mu.Unlock()
			if n == 0 {
				return
			}
		}
	}
}

// One card in two devices: the same name, and the same epoch for a while. Over real brokers, with a
// bridge that is killed in between, every item of both is in Kafka once, and both hear of the other.
func TestBothDevicesOfACopiedCardLoseNothing(t *testing.T) {
	k, brokers := embedded(t)
	m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
	at := site{mqtt: m.URL, kafka: strings.Join(brokers, ","), store: t.TempDir()}
	kill := child(t, at)
	greeter := newEdge(t, at, "greeter")
	greeter.greet(t)
	const each = 60
	names := func(who string, from int) (texts []string) {
		for n := range each {
			texts = append(texts, fmt.Sprintf(`{"%s":%d}`, who, from+n))
		}
		return texts
	}
	first := newClone(t, at, "mast", "first", "00000000000000aa", 1)
	second := newClone(t, at, "mast", "second", "00000000000000aa", 1)
	first.online()
	first.commit(names("first", 0)...)
	first.drain()
	second.online()
	second.commit(names("second", 0)...) // the same numbers
	second.drain()
	kill()
	child(t, at)
	second.online()
	first.commit(names("first", each)...)
	first.drain()
	second.commit(names("second", each)...)
	second.drain()
	if second.begun != 1 || first.begun != 0 {
		t.Errorf("the second has begun %d new epochs, the first %d", second.begun, first.begun)
	}
	first.online()
	second.online()
	eventually(t, "both hear of each other", func() bool {
		first.mu.Lock()
		defer first.mu.Unlock()
		second.mu.Lock()
		defer second.mu.Unlock()
		return first.twin == second.epoch && second.twin == first.epoch
	})
	have := map[string]int{}
	ranges, err := k.Offsets(t.Context(), event.EventsTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		if err := k.Scan(t.Context(), event.EventsTopic, p, r.First, r.End, func(r kafka.Record) error {
			have[string(r.Value)]++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, who := range []string{"first", "second"} {
		for _, text := range names(who, 0) {
			if have[text] != 1 {
				t.Errorf("%s is there %d times", text, have[text])
			}
		}
		for _, text := range names(who, each) {
			if have[text] != 1 {
				t.Errorf("%s is there %d times", text, have[text])
			}
		}
	}
}
