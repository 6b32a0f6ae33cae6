package dlq

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// AuditHeader is added to a record that was put back: which letter it was, when, and by whom.
const AuditHeader = "canvas_replay"

// Group is the part of coord.Coordinator that putting back needs.
type Group interface {
	Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error
	Document(name string) coord.Document
}

// Outcome is what became of one letter.
type Outcome struct {
	Place Place  `json:"id"`
	Topic string `json:"topic,omitempty"`
	State string `json:"state"` // replayed, already, refused
	Why   string `json:"why,omitempty"`
}

// States of an outcome.
const (
	Replayed = "replayed"
	Already  = "already" // an earlier run put it back
	Refused  = "refused" // it can't be put back, see Why
)

// together is how many letters are put back between two entries in the books.
const together = 64

// Replayer puts letters back.
type Replayer struct {
	Log   Log
	Group Group
	By    string           // who does it, for the audit header
	Now   func() time.Time // nil: time.Now
}

// Replay puts letters back to the topics that they came from, each once: one process at a time, what
// is under way in the books before it is written, and looked for in Kafka where an earlier run died
// in between. What it gives is complete up to the error.
func (r Replayer) Replay(ctx context.Context, places ...Place) (outcomes []Outcome, err error) {
	if r.Now == nil {
		r.Now = time.Now
	}
	err = r.Group.Own(ctx, "dlq-replay", func(ctx context.Context, _ coord.Lease) error {
		doc := r.Group.Document(BooksName)
		if err := r.settle(ctx, doc); err != nil {
			return err
		}
		for len(places) > 0 {
			n := min(together, len(places))
			some, err := r.some(ctx, doc, places[:n])
			outcomes = append(outcomes, some...)
			if err != nil {
				return err
			}
			places = places[n:]
		}
		return nil
	})
	return outcomes, err
}

// settle finishes what a run that died had under way: what it wrote is found by its audit header.
func (r Replayer) settle(ctx context.Context, doc coord.Document) error {
	value, _, err := doc.Get(ctx)
	if err != nil {
		return err
	}
	k, err := parseBooks(value)
	if err != nil || k.Open == nil {
		return err
	}
	written, err := r.written(ctx, *k.Open)
	if err != nil {
		return fmt.Errorf("looking for what an earlier run put back: %w", err)
	}
	return change(ctx, doc, func(k *books) error {
		for _, p := range written {
			k.add(p)
		}
		k.Open = nil
		return nil
	})
}

// written are the places of a batch that Kafka has.
func (r Replayer) written(ctx context.Context, b batch) (places []Place, err error) {
	wanted := map[Place]bool{}
	for _, p := range b.Places {
		wanted[p] = true
	}
	for topic, ends := range b.Ends {
		now, err := r.Log.Offsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		for partition, held := range now {
			err := r.Log.Scan(ctx, topic, partition, ends[partition], held.End, func(record broker.Record) error {
				for _, h := range record.Headers {
					if h.Key != AuditHeader {
						continue
					}
					if p, ok := audited(h.Value); ok && wanted[p] {
						places = append(places, p)
					}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return places, nil
}

// some puts a few letters back.
func (r Replayer) some(ctx context.Context, doc coord.Document, places []Place) (outcomes []Outcome, err error) {
	kept, err := r.Log.Offsets(ctx, event.DLQTopic)
	if err != nil {
		return nil, err
	}
	value, _, err := doc.Get(ctx)
	if err != nil {
		return nil, err
	}
	k, err := parseBooks(value)
	if err != nil {
		return nil, err
	}
	open := batch{Ends: map[string]map[int]int64{}}
	var records []broker.Record
	taken := map[Place]bool{}
	for _, p := range places {
		if k.has(p) || taken[p] {
			outcomes = append(outcomes, Outcome{Place: p, State: Already})
			continue
		}
		letter, err := Read(ctx, r.Log, p)
		if err == nil {
			letter, err = original(letter)
		}
		if err == nil && open.Ends[letter.Topic] == nil {
			open.Ends[letter.Topic], err = r.ends(ctx, letter.Topic)
		}
		if ctx.Err() != nil {
			return outcomes, context.Cause(ctx)
		}
		if err != nil {
			outcomes = append(outcomes, Outcome{Place: p, State: Refused, Why: err.Error()})
			continue
		}
		letter.Headers = append(letter.Headers, event.Header{Key: AuditHeader, Value: r.audit(p)})
		taken[p] = true
		open.Places, records = append(open.Places, p), append(records, letter)
	}
	if len(records) == 0 {
		return outcomes, nil
	}
	if err := change(ctx, doc, func(k *books) error { k.Open = &open; return nil }); err != nil {
		return outcomes, err
	}
	if err := r.write(ctx, records); err != nil {
		return outcomes, err
	}
	for n, p := range open.Places {
		outcomes = append(outcomes, Outcome{Place: p, Topic: records[n].Topic, State: Replayed})
	}
	return outcomes, change(ctx, doc, func(k *books) error {
		for _, p := range open.Places {
			k.add(p)
		}
		k.Open = nil
		k.forget(kept)
		return nil
	})
}

// ends are where a topic's partitions end now.
func (r Replayer) ends(ctx context.Context, topic string) (map[int]int64, error) {
	ranges, err := r.Log.Offsets(ctx, topic)
	ends := make(map[int]int64, len(ranges))
	for p, o := range ranges {
		ends[p] = o.End
	}
	return ends, err
}

// write gives up when Kafka does not confirm everything: what it has is found by the next run.
func (r Replayer) write(ctx context.Context, records []broker.Record) error {
	if err := r.Log.Append(ctx, records...); err != nil {
		return fmt.Errorf("putting %d dead letters back: %w: run it again; it looks first for what Kafka has", len(records), err)
	}
	return nil
}

// audit is the header's value: canvas.dlq/0-17 2026-05-01T12:00:00Z by station-1.
func (r Replayer) audit(p Place) []byte {
	return fmt.Appendf(nil, "%s/%s %s by %s", event.DLQTopic, p, r.Now().UTC().Format(time.RFC3339), r.By)
}

// audited is the place that an audit header names.
func audited(value []byte) (Place, bool) {
	first, _, _ := strings.Cut(string(value), " ")
	place, ok := strings.CutPrefix(first, event.DLQTopic+"/")
	if !ok {
		return Place{}, false
	}
	p, err := ParsePlace(place)
	return p, err == nil
}
