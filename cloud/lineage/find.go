package lineage

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// arrival is an item as it stands in Kafka. Of a dead letter, reason says why.
type arrival struct {
	item   event.Item
	record kafka.Record // without its value
	letter *deadletter.Letter
}

// finding is what the first look brings together.
type finding struct {
	arrivals []arrival // the newest last
	drop     *event.Drop
	dropped  kafka.Record       // the report that names it
	screened map[string]outcome // of a tile, by edge: names of scenes are an edge's own
}

// outcome is what an edge decided about a tile, by its manifest.
type outcome struct {
	decision event.TileDecision
	manifest arrival
}

// mostStories bounds the stories of one subject.
const mostStories = 20

// add keeps an arrival, and ends the look where the question has one answer.
func (f *finding) add(q Question, a arrival) error {
	f.arrivals = append(f.arrivals, a)
	slices.SortStableFunc(f.arrivals, func(a, b arrival) int { return a.record.Time.Compare(b.record.Time) })
	f.arrivals = f.arrivals[max(0, len(f.arrivals)-mostStories):]
	if q.Subject == "" {
		return errFound
	}
	return nil
}

// find looks for what the question names: where items arrive, then among the dead letters and what was
// made in the cloud.
func (t Teller) find(ctx context.Context, q Question, from time.Time) (*finding, error) {
	f := &finding{}
	for _, place := range q.places(from) {
		if place.topic == event.DLQTopic && len(f.arrivals) > 0 {
			break // their own stories tell of dead letters
		}
		if err := t.scan(ctx, place, func(r kafka.Record) error { return t.arrived(ctx, q, f, r) }); err != nil {
			return f, err
		}
		if q.Subject == "" && len(f.arrivals) > 0 || f.drop != nil {
			break
		}
	}
	return f, nil
}

// arrived looks at one record.
func (t Teller) arrived(ctx context.Context, q Question, f *finding, r kafka.Record) error {
	h := headsOf(r)
	if r.Topic == event.EventsTopic {
		if err := t.leftOut(ctx, q, f, h, r); err != nil {
			return err
		}
	}
	if !h.named(q) {
		if r.Topic != event.DLQTopic || h.id != "" {
			return nil
		}
		// What the bridge gave up is a message as it came over MQTT.
		item, err := event.UnmarshalMQTT(r.Value)
		if item.ID.IsZero() || !headsOfItem(&item).named(q) {
			return nil
		}
		return f.add(q, arrival{item: item, record: bare(r), letter: letterOf(r, err)})
	}
	if q.Subject != "" && r.Topic == event.ResultsTopic && h.epoch == "" {
		return nil // a worker's, which belongs to the story of the item that it looked at
	}
	item, _ := r.Item() // named, so that what could be read of it is worth telling
	a := arrival{item: item, record: bare(r)}
	if r.Topic == event.DLQTopic {
		a.letter = letterOf(r, nil)
	}
	return f.add(q, a)
}

// leftOut takes what edges say of items that will never come: drop reports and manifests.
func (t Teller) leftOut(ctx context.Context, q Question, f *finding, h heads, r kafka.Record) error {
	switch {
	case q.Seq > 0 && h.kind == event.Ack && h.edge == q.Edge:
		item, err := r.Item()
		if err != nil {
			return nil
		}
		report, err := event.ParseDropReport(item)
		if err != nil {
			return nil
		}
		for epoch, d := range report.Each(item.Epoch) {
			if epoch == q.Epoch && d.Seq == q.Seq {
				f.drop, f.dropped = &d, bare(r)
				return errFound
			}
		}
	case q.Subject != "" && h.kind == event.Scene:
		scene, tile, ok := q.tile()
		if !ok || h.subject != scene {
			return nil
		}
		item, err := r.Item()
		if err != nil {
			return nil
		}
		if d := t.decided(ctx, item, tile); d != nil {
			if f.screened == nil {
				f.screened = map[string]outcome{}
			}
			f.screened[h.edge] = outcome{*d, arrival{item: item, record: bare(r)}}
		}
	}
	return nil
}

// decided is what the edge decided about a tile, or nil where its manifest does not say.
func (t Teller) decided(ctx context.Context, manifest event.Item, tile string) *event.TileDecision {
	if ref := manifest.Attrs.DataRef; ref != "" && t.Objects != nil {
		data, err := t.Objects.Get(ctx, ref)
		if err != nil {
			return nil
		}
		manifest.Data = data
	}
	var m event.Manifest
	if json.Unmarshal(manifest.Data, &m) != nil {
		return nil
	}
	for _, d := range m.Tiles {
		if d.Tile == tile {
			return &d
		}
	}
	return nil
}

// left are the stories of what never became an item in Kafka.
func (f *finding) left(q Question) (all []Story) {
	if f.drop != nil && len(f.arrivals) == 0 {
		all = append(all, Story{
			State: Dropped, Why: f.drop.Reason, Edge: q.Edge, Epoch: string(q.Epoch), Seq: q.Seq, Kind: string(f.drop.Kind), Stream: f.drop.Stream, Bytes: int(f.drop.Bytes),
			Steps: []Step{placed(f.dropped, "dropped by its edge", "the ledger says: "+f.drop.Reason)},
		})
	}
	for _, edge := range slices.Sorted(maps.Keys(f.screened)) {
		o := f.screened[edge]
		came := slices.ContainsFunc(f.arrivals, func(a arrival) bool { return a.item.Edge == edge })
		if came || o.decision.Decision != event.TileDropped {
			continue
		}
		m := o.manifest.item
		all = append(all, Story{
			State: Left, Why: because(o.decision), Edge: m.Edge, Epoch: string(m.Epoch), Kind: string(event.Tile), Stream: m.Stream, Subject: q.Subject, Captured: m.Time,
			Steps: []Step{{What: "captured", At: m.Time, Clock: edgeClock}, placed(o.manifest.record, "left out by its edge", because(o.decision))},
		})
	}
	return all
}

// because says why a tile was left out, or what it was worth.
func because(d event.TileDecision) string {
	if d.Decision == event.TileSent {
		return fmt.Sprintf("worth %.2f to the edge, which saw %.0f %% cloud and %.0f %% no data", d.Value, 100*d.Cloud, 100*d.NoData)
	}
	return fmt.Sprintf("%s: the edge saw %.0f %% cloud and %.0f %% no data", d.Reason, 100*d.Cloud, 100*d.NoData)
}

// heads are the attributes of a record by which it is found, without opening its value.
type heads struct {
	id, edge, epoch, subject string
	seq                      uint64
	kind                     event.Kind
}

func headsOf(r kafka.Record) (h heads) {
	for _, header := range r.Headers {
		switch header.Key {
		case "ce_id":
			h.id = string(header.Value)
		case "ce_edge":
			h.edge = string(header.Value)
		case "ce_epoch":
			h.epoch = string(header.Value)
		case "ce_seq":
			h.seq, _ = strconv.ParseUint(string(header.Value), 10, 64)
		case "ce_subject":
			h.subject = string(header.Value)
		case "ce_type":
			kind, _ := strings.CutPrefix(string(header.Value), "io.cloudcanvas.")
			kind, _ = strings.CutSuffix(kind, ".v1")
			h.kind = event.Kind(kind)
		}
	}
	return h
}

func headsOfItem(i *event.Item) heads {
	return heads{id: i.ID.String(), edge: i.Edge, epoch: string(i.Epoch), subject: i.Subject, seq: i.Seq, kind: i.Kind}
}

// named says whether the question means this one.
func (h heads) named(q Question) bool {
	switch {
	case !q.ID.IsZero():
		id, err := ulid.ParseStrict(h.id)
		return err == nil && id == q.ID
	case q.Seq > 0:
		return h.seq == q.Seq && h.edge == q.Edge && h.epoch == string(q.Epoch)
	}
	return h.subject == q.Subject
}

// bare is a record without its value: many may be kept.
func bare(r kafka.Record) kafka.Record { r.Value = nil; return r }
