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
	dead   *deadletter.Entry
}

// matches are what the search brings together.
type matches struct {
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

// maxHistories bounds those of one subject.
const maxHistories = 20

// add keeps an arrival, and ends the search where the query has one answer.
func (f *matches) add(q Query, a arrival) error {
	f.arrivals = append(f.arrivals, a)
	slices.SortStableFunc(f.arrivals, func(a, b arrival) int { return a.record.Time.Compare(b.record.Time) })
	f.arrivals = f.arrivals[max(0, len(f.arrivals)-maxHistories):]
	if q.Subject == "" {
		return errFound
	}
	return nil
}

// search looks for what the query names: where items arrive, then among the dead letters and what was
// made in the cloud.
func (f Finder) search(ctx context.Context, q Query, from time.Time) (*matches, error) {
	into := &matches{}
	for _, place := range q.spans(from) {
		if place.topic == event.DLQTopic && len(into.arrivals) > 0 {
			break // their own histories have the dead letters
		}
		if err := f.scan(ctx, place, func(r kafka.Record) error { return f.check(ctx, q, into, r) }); err != nil {
			return into, err
		}
		if q.Subject == "" && len(into.arrivals) > 0 || into.drop != nil {
			break
		}
	}
	return into, nil
}

// check looks at one record.
func (f Finder) check(ctx context.Context, q Query, into *matches, r kafka.Record) error {
	h := headersOf(r)
	if r.Topic == event.EventsTopic {
		if err := f.checkUnsent(ctx, q, into, h, r); err != nil {
			return err
		}
	}
	if !h.named(q) {
		if r.Topic != event.DLQTopic || h.id != "" {
			return nil
		}
		// What the bridge gave up is a message as it came over MQTT.
		item, err := event.UnmarshalMQTT(r.Value)
		if item.ID.IsZero() || !headersOfItem(&item).named(q) {
			return nil
		}
		return into.add(q, arrival{item: item, record: bare(r), dead: describe(r, err)})
	}
	if q.Subject != "" && r.Topic == event.ResultsTopic && h.epoch == "" {
		return nil // a worker's, which belongs to the history of the item that it was made of
	}
	item, _ := r.Item() // named, so that what could be read of it is worth showing
	a := arrival{item: item, record: bare(r)}
	if r.Topic == event.DLQTopic {
		a.dead = describe(r, nil)
	}
	return into.add(q, a)
}

// checkUnsent takes what edges say of items that will never come: drop reports and manifests.
func (f Finder) checkUnsent(ctx context.Context, q Query, into *matches, h headers, r kafka.Record) error {
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
				into.drop, into.dropped = &d, bare(r)
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
		if d := f.decision(ctx, item, tile); d != nil {
			if into.screened == nil {
				into.screened = map[string]outcome{}
			}
			into.screened[h.edge] = outcome{*d, arrival{item: item, record: bare(r)}}
		}
	}
	return nil
}

// decision is what the edge decided about a tile, or nil where its manifest does not say.
func (f Finder) decision(ctx context.Context, manifest event.Item, tile string) *event.TileDecision {
	if ref := manifest.Attrs.DataRef; ref != "" && f.Objects != nil {
		data, err := f.Objects.Get(ctx, ref)
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

// unsent are the histories of what never became an item in Kafka.
func (f *matches) unsent(q Query) (all []History) {
	if f.drop != nil && len(f.arrivals) == 0 {
		all = append(all, History{
			State: Dropped, Why: f.drop.Reason, Edge: q.Edge, Epoch: string(q.Epoch), Seq: q.Seq, Kind: string(f.drop.Kind), Stream: f.drop.Stream, Bytes: int(f.drop.Bytes),
			Steps: []Step{stepAt(f.dropped, "dropped by its edge", "its ledger of drops says: "+f.drop.Reason)},
		})
	}
	for _, edge := range slices.Sorted(maps.Keys(f.screened)) {
		o := f.screened[edge]
		came := slices.ContainsFunc(f.arrivals, func(a arrival) bool { return a.item.Edge == edge })
		if came || o.decision.Decision != event.TileDropped {
			continue
		}
		m := o.manifest.item
		all = append(all, History{
			State: NotSent, Why: reasonFor(o.decision), Edge: m.Edge, Epoch: string(m.Epoch), Kind: string(event.Tile), Stream: m.Stream, Subject: q.Subject, Captured: m.Time,
			Steps: []Step{{What: "captured", At: m.Time, Clock: edgeClock}, stepAt(o.manifest.record, "left out by its edge", reasonFor(o.decision))},
		})
	}
	return all
}

// reasonFor says why a tile was left out, or what it was worth.
func reasonFor(d event.TileDecision) string {
	if d.Decision == event.TileSent {
		return fmt.Sprintf("worth %.2f to the edge, which saw %.0f %% cloud and %.0f %% no data", d.Value, 100*d.Cloud, 100*d.NoData)
	}
	return fmt.Sprintf("%s: the edge saw %.0f %% cloud and %.0f %% no data", d.Reason, 100*d.Cloud, 100*d.NoData)
}

// headers are the attributes of a record by which it is found, without opening its value.
type headers struct {
	id, edge, epoch, subject string
	seq                      uint64
	kind                     event.Kind
}

func headersOf(r kafka.Record) (h headers) {
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

func headersOfItem(i *event.Item) headers {
	return headers{id: i.ID.String(), edge: i.Edge, epoch: string(i.Epoch), subject: i.Subject, seq: i.Seq, kind: i.Kind}
}

// named says whether the query names this one.
func (h headers) named(q Query) bool {
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
