package detect

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

func TestProgramsOnTheDeviceHearWhatHappens(t *testing.T) {
	b, err := mqtt.Embed(mqtt.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ready := make(chan struct{})
	client, err := mqtt.Dial(t.Context(), mqtt.Options{URL: b.URL(), Log: quiet, OnUp: sync.OnceFunc(func() { close(ready) })})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	heard := make(chan mqtt.Message, 16)
	client.Subscribe("canvas/#", 1, func(m mqtt.Message) { heard <- m })
	<-ready

	a := NewAnnouncer(AnnouncerOptions{To: client, Stats: func() any { return map[string]int{"cameras": 1} }, Every: 20 * time.Millisecond, Log: quiet})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	want := map[string]string{"canvas/available": "online", "canvas/gate/person": "2", "canvas/gate/zones/drive_way/person": "1", "canvas/ga_te/per_son/snapshot": "jpeg",
		"canvas/stats": `{"cameras":1}`, "canvas/events": `"before":null`}
	until := func(enough func() bool) {
		for !enough() {
			m := <-heard
			if w, ok := want[m.Topic]; ok {
				if !strings.Contains(string(m.Payload), w) {
					t.Errorf("%s: %s, want %s", m.Topic, m.Payload, w)
				}
				delete(want, m.Topic)
			}
		}
	}
	until(func() bool { return want[StatsTopic] == "" }) // the subscription holds: an event is told once
	a.Tracked(event.TrackEvent{Type: event.TrackNew, After: &event.TrackState{ID: "1.2-3", Camera: "gate"}})
	a.Counted("gate", "person", 2)
	a.CountedIn("gate", "drive/way", "person", 1)
	a.Pictured("ga/te", "per+son", []byte("jpeg"))
	until(func() bool { return len(want) == 0 })
	cancel()
	<-done
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for m := range heard {
		if m.Topic == AvailableTopic && string(m.Payload) == "offline" {
			break
		}
	}
}

// deaf is a broker that takes nothing.
type deaf struct{ wait bool }

func (d deaf) Publish(ctx context.Context, _ string, _ byte, _ bool, _ []byte) error {
	if d.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	return errors.New("not connected")
}

func TestADeafBrokerCostsAnnouncementsAndNothingElse(t *testing.T) {
	for _, wait := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			a := NewAnnouncer(AnnouncerOptions{To: deaf{wait}, Log: quiet})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); a.Run(ctx) }()
			began := time.Now()
			for i := range 1000 {
				a.Counted("gate", "person", i)
				a.Tracked(event.TrackEvent{Type: event.TrackNew, After: &event.TrackState{}})
			}
			if d := time.Since(began); d > 0 {
				t.Errorf("the camera waited %s", d)
			}
			time.Sleep(time.Hour)
			if n := a.Dropped(); n != 1000 { // what is retained waits
				t.Errorf("%d dropped", n)
			}
			cancel()
			<-done
			if err := a.Close(); err == nil {
				t.Error("nobody heard the last words, and nothing is said of it")
			}
		})
	}
}
