package lineage

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// world is an embedded Kafka with the topics, and what edges and workers write there.
type world struct {
	*testing.T
	k       *kafka.Client
	brokers []string
	finder  Finder
	epoch   event.Epoch
	seq     uint64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	e, err := kafka.Embed(t.TempDir(), kafka.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	k, err := kafka.Dial(kafka.Options{Brokers: e.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	var topics []kafka.Topic
	for _, name := range []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.DLQTopic, event.ProductsTopic} {
		topics = append(topics, kafka.Topic{Name: name, Partitions: 3})
	}
	if err := k.EnsureTopics(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, k: k, brokers: e.Brokers(), epoch: event.NewEpoch()}
	w.finder = Finder{Log: k, Group: "canvas-worker", Owners: func(context.Context) (map[string]Owner, error) {
		all := map[string]Owner{}
		for _, what := range []string{"canvas.work-0", "canvas.work-1", "canvas.work-2"} {
			all[what] = Owner{Member: "gpu-1", Epoch: 77}
		}
		return all, nil
	}}
	return w
}

// item is one as an edge commits it now.
func (w *world) item(kind event.Kind, stream, subject string, attrs event.Attrs, data []byte) event.Item {
	w.seq++
	now := time.Now()
	return event.Item{ID: event.NewID(now), Edge: "mast-7", Epoch: w.epoch, Seq: w.seq, Kind: kind, Stream: stream, Subject: subject, Time: now.Add(-time.Second),
		Priority: event.Normal, Attrs: attrs, Type: "application/json", SHA256: event.Sum(data), Data: data}
}

func (w *world) tile(scene, tile string) event.Item {
	return w.item(event.Tile, scene, scene+"/"+tile, event.Attrs{Scene: scene, Tile: tile, Want: "segment",
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, []byte("pixels of "+tile))
}

func (w *world) write(records ...kafka.Record) {
	w.Helper()
	if err := w.k.Append(w.Context(), records...); err != nil {
		w.Fatal(err)
	}
}

func (w *world) came(items ...event.Item) {
	w.Helper()
	for _, i := range items {
		w.write(kafka.RecordOf(i))
	}
}

// found is a worker's result for an item.
func found(in event.Item, headers ...event.Header) kafka.Record {
	data := []byte("mask")
	r := kafka.RecordOf(event.Item{ID: event.ResultID(in.ID, "ukis", "3"), Edge: in.Edge, Kind: event.Result, Stream: in.Stream, Subject: in.Subject, Time: in.Time,
		Priority: in.Priority, Attrs: event.Attrs{Scene: in.Attrs.Scene, Tile: in.Attrs.Tile, Model: "ukis", ModelVersion: "3"}, Type: "image/png", Data: data, SHA256: event.Sum(data)})
	r.Headers = append(r.Headers, headers...)
	return r
}

func (w *world) manifest(scene string, tiles ...event.TileDecision) event.Item {
	data, err := json.Marshal(event.Manifest{ID: scene, Tiles: tiles})
	if err != nil {
		w.Fatal(err)
	}
	return w.item(event.Scene, scene, scene, event.Attrs{Scene: scene}, data)
}

func (w *world) product(scene string, missing ...string) event.Item {
	data, err := json.Marshal(map[string]any{"kind": "scene", "name": scene, "edge": "mast-7", "folder": scene, "complete": len(missing) == 0, "missing": missing, "lacking": len(missing)})
	if err != nil {
		w.Fatal(err)
	}
	return event.Item{ID: event.NewID(time.Now()), Edge: "mast-7", Kind: event.Product, Stream: scene, Subject: scene, Time: time.Now(), Priority: event.High,
		Attrs: event.Attrs{Scene: scene}, Type: "application/json", Data: data, SHA256: event.Sum(data)}
}

func (w *world) dead(r kafka.Record, topic, connector, reason string) kafka.Record {
	r.Topic = event.DLQTopic
	r.Headers = append(r.Headers, deadletter.Cause{Topic: topic, Connector: connector, Reason: reason}.Headers()...)
	return r
}

// ask is the one history that a text leads to.
func (w *world) ask(text string) History {
	w.Helper()
	q, err := Parse(text)
	if err != nil {
		w.Fatal(err)
	}
	histories, err := w.finder.Find(w.Context(), q, 0)
	if err != nil {
		w.Fatal(err)
	}
	if len(histories) != 1 {
		w.Fatalf("%s has %d histories", text, len(histories))
	}
	return histories[0]
}

func (s History) step(what string) *Step {
	for _, st := range s.Steps {
		if st.What == what {
			return &st
		}
	}
	return nil
}
