package edge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/mqtt"
)

// retainedAt is what a broker retains, asked anew each time.
func retainedAt(t testing.TB, url, filter string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := mqtt.Dial(ctx, mqtt.Options{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	holds, stands, last := map[string]string{}, make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(last) })
	var mu sync.Mutex
	c.SubscribeThen(filter, 1, func(m mqtt.Message) {
		mu.Lock()
		defer mu.Unlock()
		if m.Retained {
			holds[m.Topic] = string(m.Payload)
		}
	}, sync.OnceFunc(func() { close(stands) }))
	ended := "test/last/" + rand.Text()
	c.SubscribeThen(ended, 1, func(mqtt.Message) { once() }, func() {
		go func() {
			select {
			case <-stands: // either may be confirmed first
				c.Publish(ctx, ended, 1, false, []byte("x")) // comes behind what is retained
			case <-ctx.Done():
			}
		}()
	})
	for _, done := range []chan struct{}{stands, last} {
		select {
		case <-done:
		case <-ctx.Done():
			t.Fatal("the broker does not answer")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	return maps.Clone(holds)
}

// truth is a device between two real brokers.
type truth struct {
	t            *testing.T
	local, cloud *brokertest.Mosquitto
	config       Config
	agent        *Agent
	stop         func()
}

func newTruth(t *testing.T, lines ...string) *truth {
	d := &truth{t: t, local: brokertest.StartMosquitto(t, lines...), cloud: brokertest.StartMosquitto(t, lines...), config: DefaultConfig()}
	d.config.Edge, d.config.Data = "mast", filepath.Join(t.TempDir(), "data #1 é%")
	d.config.Cloud.URL, d.config.Local.URL = d.cloud.URL, d.local.URL
	d.config.Sensors.Enabled = true
	return d
}

func (d *truth) start() {
	d.t.Helper()
	models, err := model.Open(d.t.TempDir())
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.t.Context())
	if d.agent, err = Open(ctx, d.config, Parts{Models: models, Log: slog.New(slog.DiscardHandler)}); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); d.agent.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel() // as a signal does: the context of all ends
		<-ended
		d.agent.Close()
	})
	d.t.Cleanup(d.stop)
}

// says waits until the device's broker and the cloud's say whether the device is there.
func (d *truth) says(when, word string) {
	d.t.Helper()
	var available string
	var status event.Status
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		available = retainedAt(d.t, d.local.URL, "canvas/available")["canvas/available"]
		json.Unmarshal([]byte(retainedAt(d.t, d.cloud.URL, event.StatusTopic("mast"))[event.StatusTopic("mast")]), &status)
		if available == word && status.Status == word {
			return
		}
	}
	d.t.Fatalf("%s the device's broker says %q and the cloud's %q, want %s", when, available, status.Status, word)
}

// said is says without waiting: a stop that is over has told it.
func (d *truth) said(when, word string) {
	d.t.Helper()
	available := retainedAt(d.t, d.local.URL, "canvas/available")["canvas/available"]
	var status event.Status
	json.Unmarshal([]byte(retainedAt(d.t, d.cloud.URL, event.StatusTopic("mast"))[event.StatusTopic("mast")]), &status)
	if available != word || status.Status != word {
		d.t.Errorf("%s the device's broker says %q and the cloud's %q, want %s", when, available, status.Status, word)
	}
}

// counts waits for what the device's broker retains of cameras.
func (d *truth) counts(when string, want map[string]string) {
	d.t.Helper()
	holds := map[string]string{}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		holds = retainedAt(d.t, d.local.URL, "canvas/+/#")
		delete(holds, "canvas/available")
		if maps.Equal(holds, want) {
			return
		}
	}
	d.t.Fatalf("%s the device's broker retains %q, want %q", when, holds, want)
}

func TestBothBrokersSayOfflineAfterEachStop(t *testing.T) {
	d := newTruth(t)
	for range 4 {
		d.start()
		d.says("running", "online")
		d.stop()
		d.said("stopped", "offline")
	}
}

func TestCountsAtTheBrokerAreTrueAfterStopsKillsAndOutages(t *testing.T) {
	for name, lines := range map[string][]string{"a broker that keeps": nil, "a broker that forgets": {"persistence false"}} {
		t.Run(name, func(t *testing.T) {
			d := newTruth(t, lines...)
			d.config.Frames.Enabled = false
			d.config.Cameras = nil
			d.start()
			d.agent.local.Counted("gate", "person", 21)
			d.agent.local.Pictured("gate", "person", []byte("jpeg"))
			d.counts("running", map[string]string{"canvas/gate/person": "21", "canvas/gate/person/snapshot": "jpeg"})
			d.local.Kill()
			d.agent.local.Counted("gate", "person", 7)
			d.local.Restart()
			d.counts("after an outage", map[string]string{"canvas/gate/person": "7", "canvas/gate/person/snapshot": "jpeg"})
			d.says("after an outage", "online")
			d.stop()
			d.counts("stopped", map[string]string{"canvas/gate/person": "0", "canvas/gate/person/snapshot": "jpeg"})
			d.said("stopped", "offline")
			d.start() // without the camera
			d.counts("begun again", map[string]string{})
		})
	}
}
