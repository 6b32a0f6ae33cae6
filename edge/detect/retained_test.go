package detect

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"cloudcanvas/shared/event"
)

// memory is a broker as far as retained messages go.
type memory struct {
	mu     sync.Mutex
	holds  map[string]string
	events []string
	away   bool
}

func (m *memory) Publish(_ context.Context, topic string, _ byte, retain bool, payload []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.away:
		return errors.New("not connected")
	case !retain:
		m.events = append(m.events, string(payload))
	case len(payload) == 0:
		delete(m.holds, topic)
	default:
		m.holds[topic] = string(payload)
	}
	return nil
}

func (m *memory) expect(t *testing.T, when string, want map[string]string) {
	t.Helper()
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !maps.Equal(m.holds, want) {
		t.Errorf("%s the broker holds %q, want %q", when, m.holds, want)
	}
}

// announced runs an announcer until stop, which says the last words, or kill, which does not.
func announced(t *testing.T, o AnnouncerOptions) (a *Announcer, stop, kill func()) {
	o.Log = quiet
	a = NewAnnouncer(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	kill = func() { cancel(); <-done }
	return a, func() { kill(); a.Close() }, kill
}

func TestCountsAreZeroAfterAStopAndAtTheLatestAfterTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &memory{holds: map[string]string{}}
		file := filepath.Join(t.TempDir(), "announced.json")
		has := func(camera, zone string) bool { return camera == "gate" && zone != "street" }
		a, stop, _ := announced(t, AnnouncerOptions{To: b, File: file})
		a.Counted("gate", "person", 2)
		a.CountedIn("gate", "drive", "person", 1)
		a.Pictured("gate", "person", []byte("jpeg"))
		b.expect(t, "running", map[string]string{"canvas/available": "online", "canvas/gate/person": "2", "canvas/gate/zones/drive/person": "1", "canvas/gate/person/snapshot": "jpeg"})
		stop()
		b.expect(t, "stopped", map[string]string{"canvas/available": "offline", "canvas/gate/person": "0", "canvas/gate/zones/drive/person": "0", "canvas/gate/person/snapshot": "jpeg"})

		a, _, kill := announced(t, AnnouncerOptions{To: b, File: file})
		a.Counted("gate", "person", 21)
		a.Counted("yard", "car", 3)
		a.CountedIn("gate", "street", "car", 3)
		a.Pictured("yard", "car", []byte("jpeg"))
		synctest.Wait()
		kill()
		_, stop, _ = announced(t, AnnouncerOptions{To: b, File: file, Has: has})
		b.expect(t, "begun again without the yard and the street", map[string]string{"canvas/available": "online", "canvas/gate/person": "0", "canvas/gate/zones/drive/person": "0", "canvas/gate/person/snapshot": "jpeg"})
		stop()
		data, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(data), "street") {
			t.Errorf("%s: %v", data, err)
		}
	})
}

func TestHowACameraIsIsTakenBackAtTheNextStartUnlessItIsSaidAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{holds: map[string]string{}}
		o := AnnouncerOptions{To: m, File: filepath.Join(t.TempDir(), "announced.json")}
		a, _, kill := announced(t, o)
		a.CameraIs("gate", []byte(`{"phase":"up"}`))
		a.CameraIs("a/b", []byte(`{"phase":"down"}`))
		m.expect(t, "running", map[string]string{AvailableTopic: "online", "canvas/gate/status/camera": `{"phase":"up"}`, "canvas/a_b/status/camera": `{"phase":"down"}`})
		kill()
		a, stop, _ := announced(t, o)
		a.CameraIs("gate", []byte(`{"phase":"starting"}`))
		m.expect(t, "after a crash", map[string]string{AvailableTopic: "online", "canvas/gate/status/camera": `{"phase":"starting"}`})
		a.CameraIs("gate", []byte(`{"phase":"ended"}`))
		stop()
		m.expect(t, "after a stop", map[string]string{AvailableTopic: "offline", "canvas/gate/status/camera": `{"phase":"ended"}`})
	})
}

func TestABrokerThatForgotIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &memory{holds: map[string]string{}}
		up := make(chan struct{}, 1)
		a, stop, _ := announced(t, AnnouncerOptions{To: b, Up: up})
		a.Counted("gate", "person", 2)
		a.Pictured("gate", "person", []byte("jpeg"))
		want := map[string]string{"canvas/available": "online", "canvas/gate/person": "2", "canvas/gate/person/snapshot": "jpeg"}
		b.expect(t, "running", want)
		b.mu.Lock()
		b.away, b.holds = true, map[string]string{}
		b.mu.Unlock()
		a.Counted("gate", "person", 5)
		a.Counted("gate", "person", 3)
		synctest.Wait()
		b.mu.Lock()
		b.away = false
		b.mu.Unlock()
		up <- struct{}{}
		want["canvas/gate/person"] = "3"
		b.expect(t, "back", want)
		stop()
	})
}

func TestWhatTheBrokerHoldsOfALifeThatLeftNoListIsSetToZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &memory{holds: map[string]string{"canvas/gate/person": "21", "canvas/gate/zones/drive/person": "4", "canvas/gate/mode": "night"}}
		a, stop, _ := announced(t, AnnouncerOptions{To: b})
		a.Counted("gate", "car", 1)
		for topic, payload := range maps.Clone(b.holds) {
			a.Found(topic, []byte(payload))
		}
		a.Found("canvas/gate/car", []byte("7")) // said already: that stands
		b.expect(t, "running", map[string]string{"canvas/available": "online", "canvas/gate/person": "0", "canvas/gate/zones/drive/person": "0", "canvas/gate/mode": "night", "canvas/gate/car": "1"})
		stop()
	})
}

func TestPicturesForTheNextBrokerAreBounded(t *testing.T) {
	r := restoreRetained("", nil, quiet)
	for i := range 40 {
		r.set("canvas/gate/label"+string(rune('a'+i))+"/snapshot", make([]byte, 1<<20))
		r.set("canvas/gate/first/snapshot", make([]byte, 100))
	}
	if r.bytes > picturesHeld || len(r.pictures) != 8 {
		t.Errorf("%d bytes of %d pictures", r.bytes, len(r.pictures))
	}
	for m, ok := r.next(); ok; m, ok = r.next() {
		r.confirmed(m)
	}
}

func TestEventsSayTheBoxBothWaysAndTheZonesAsFrigateDoes(t *testing.T) {
	e := event.TrackEvent{Type: event.TrackUpdate, Before: &event.TrackState{Box: [4]float32{10, 20, 30, 40}},
		After: &event.TrackState{ID: "7", Box: [4]float32{100, 200, 40, 80}, Zones: []string{"drive"}, EnteredZones: []string{"street", "drive"}}}
	data, err := json.Marshal(frigate(e))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"box":[100,200,40,80]`, `"box_corners":[100,200,140,280]`, `"current_zones":["drive"]`, `"entered_zones":["street","drive"]`, `"zones":["drive"]`, `"box":[10,20,30,40]`, `"box_corners":[10,20,40,60]`, `"current_zones":[]`, `"id":"7"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in %s", want, data)
		}
	}
	if strings.Count(string(data), `"box"`) != 2 || strings.Count(string(data), `"entered_zones"`) != 2 {
		t.Errorf("a field is there twice: %s", data)
	}
}

func FuzzTheListOfRetainedTopics(f *testing.F) {
	f.Add([]byte(`{"topics":["canvas/gate/person","canvas/gate/zones/a/b","canvas/#","x"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		topics, _ := parseTopics(data)
		for _, topic := range topics {
			if _, _, ok := source(topic); ok && (!strings.HasPrefix(topic, "canvas/") || strings.ContainsAny(topic, "+#")) {
				t.Errorf("%q is taken for one of ours", topic)
			}
		}
	})
}
