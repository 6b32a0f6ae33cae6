package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/release"
	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post is an MQTT broker of one client.
type post struct {
	mu     sync.Mutex
	handle func(mqtt.Message)
	sent   chan mqtt.Message
}

func (p *post) Subscribe(_ string, _ byte, handle func(mqtt.Message)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handle = handle
}

func (p *post) Publish(_ context.Context, topic string, _ byte, retain bool, payload []byte) error {
	p.sent <- mqtt.Message{Topic: topic, Payload: payload, Retained: retain}
	return nil
}

// world is delivery at work, with version 2 of a model published.
type world struct {
	t     *testing.T
	post  *post
	group *local.Coordinator
	files map[string][]byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	objects, err := store.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, post: &post{sent: make(chan mqtt.Message, 100)}, group: local.NewSpace().Coordinator("delivery"),
		files: map[string][]byte{event.ModelManifest: []byte("name: m"), event.ModelWeights: bytes.Repeat([]byte("weights "), 20_000)}}
	for name, data := range w.files {
		if err := objects.Put(t.Context(), release.Key("m", "2", name), data); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Parts{Group: w.group, Objects: objects, Views: echo{}, Log: slog.New(slog.DiscardHandler),
			Dial: func(context.Context) (Broker, func(), error) { return w.post, func() {}, nil }})
	}()
	t.Cleanup(func() {
		stop()
		<-done
		w.group.Close()
		objects.Close()
	})
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		w.post.mu.Lock()
		ready := w.post.handle != nil
		w.post.mu.Unlock()
		if ready {
			return w
		}
		if time.Now().After(deadline) {
			t.Fatal("delivery is not subscribed")
		}
	}
}

func (w *world) says(edge string, models ...event.EdgeModel) {
	w.t.Helper()
	payload, err := json.Marshal(event.Status{Status: event.Online, Edge: edge, Epoch: "e", Models: models})
	if err != nil {
		w.t.Fatal(err)
	}
	w.post.handle(mqtt.Message{Topic: event.StatusTopic(edge), Payload: payload})
}

func (w *world) asks(edges, version string) {
	w.t.Helper()
	if err := Ask(w.t.Context(), w.group, Desired{Model: "m", Version: version, Edges: edges}, false); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) next() (edge string, d event.DownModel) {
	w.t.Helper()
	select {
	case m := <-w.post.sent:
		d, err := event.ParseDownModel(m.Payload)
		if err != nil || m.Retained {
			w.t.Fatalf("%+v %v", m, err)
		}
		return strings.Split(m.Topic, "/")[2], d
	case <-time.After(2 * time.Minute):
		w.t.Fatal("nothing was sent")
	}
	return "", d
}

func (w *world) silent() {
	w.t.Helper()
	// What is sent to another edge afterwards shows that nothing was sent before.
	w.says("other", event.EdgeModel{Name: "m", Version: "1"})
	if edge, d := w.next(); edge != "other" {
		w.t.Fatalf("sent to %s: %+v", edge, d)
	}
}

func TestAnEdgeIsOfferedWhatItShallRunAndSentWhatItMisses(t *testing.T) {
	w := newWorld(t)
	w.says("mast-1", event.EdgeModel{Name: "m"})
	w.asks("mast-*", "2")
	edge, offer := w.next()
	if edge != "mast-1" || offer.Type != event.ModelOffer || offer.Version != "2" || len(offer.Files) != 2 {
		t.Fatalf("%s %+v", edge, offer)
	}
	w.says("mast-1", event.EdgeModel{Name: "m", Want: &event.WantedPart{Version: "2", File: event.ModelWeights, Offset: 1000, Bytes: 100_000}})
	var got []byte
	for len(got) < 100_000 {
		_, d := w.next()
		if d.Type != event.ModelPart || d.Offset != 1000+int64(len(got)) {
			t.Fatalf("%s %s at %d", d.Type, d.File, d.Offset)
		}
		got = append(got, d.Data...)
	}
	if !bytes.Equal(got, w.files[event.ModelWeights][1000:101_000]) {
		t.Error("other bytes than the file's")
	}
}

func TestAnEdgeThatHasItOrRefusedItOrIsNotMeantIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.asks("mast-*", "2")
	w.asks("other", "2")
	for _, m := range []event.EdgeModel{
		{Name: "m", Version: "2"}, {Name: "m", Refused: "2", Reason: "golden"}, {Name: "another"},
		{Name: "m", Want: &event.WantedPart{Version: "2", File: "../secret", Bytes: 10}},
		{Name: "m", Want: &event.WantedPart{Version: "2", File: event.ModelWeights, Offset: -5, Bytes: 10}},
		{Name: "m", Want: &event.WantedPart{Version: "2", File: event.ModelWeights, Offset: 1 << 40, Bytes: 10}},
	} {
		w.says("mast-1", m)
		w.silent()
	}
	w.says("boat-1", event.EdgeModel{Name: "m"})
	w.silent()
}

func TestTheLastWishCountsAndOneThatIsRemovedDoesNot(t *testing.T) {
	w := newWorld(t)
	w.asks("*", "2")
	w.asks("mast-1", "")
	w.says("mast-1", event.EdgeModel{Name: "m", Version: "2"})
	if _, d := w.next(); d.Version != "" || d.Type != event.ModelOffer {
		t.Fatalf("%+v", d)
	}
	if err := Ask(t.Context(), w.group, Desired{Model: "m", Edges: "mast-1"}, true); err != nil {
		t.Fatal(err)
	}
	all, err := Read(t.Context(), w.group)
	if version, ok := all.For("mast-1", "m"); err != nil || !ok || version != "2" {
		t.Errorf("%q %v %v", version, ok, err)
	}
	for _, wrong := range []Desired{{Model: "m", Edges: ""}, {Model: "m", Edges: "[a"}} {
		if err := Ask(t.Context(), w.group, wrong, false); err == nil {
			t.Errorf("%+v was taken", wrong)
		}
	}
}
