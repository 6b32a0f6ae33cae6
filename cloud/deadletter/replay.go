package deadletter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Group is the part of coord.Coordinator that decisions need.
type Group interface {
	Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error
	Document(name string) coord.Document
}

// Outcome is what became of one dead letter.
type Outcome struct {
	Place Place  `json:"id"`
	Topic string `json:"topic,omitempty"`
	State string `json:"state"` // replayed, discarded, already, refused
	Why   string `json:"why,omitempty"`
}

// States of an outcome.
const (
	Replayed = "replayed"
	Dropped  = "discarded"
	Already  = "already" // it was done before
	Refused  = "refused" // it can't be done, see Why
)

// Lease is what whoever decides about dead letters owns meanwhile.
const Lease = "dlq-replay"

// batchSize is how many dead letters are put back between two entries in the decisions.
const batchSize = 64

// Actions are what operators do with dead letters, whoever they are and wherever they sit.
type Actions struct {
	Log     Log
	Group   Group
	Objects Objects          // nil: what rests in the object store can't be put back
	Checks  Checks           // the bridge's; what they refuse is not put back
	By      string           // who does it
	Now     func() time.Time // nil: time.Now
	Again   bool             // put back what was discarded, too
}

func (a Actions) now() time.Time {
	if a.Now == nil {
		return time.Now().UTC().Truncate(time.Second)
	}
	return a.Now().UTC().Truncate(time.Second)
}

// at is the time of a decision: now, but not before the dead letters, whose clock may be another.
func (a Actions) at(ctx context.Context, places ...Place) time.Time {
	at := a.now()
	for _, p := range places {
		if r, err := Read(ctx, a.Log, p); err == nil && r.Time.Add(-skew).After(at) {
			at = r.Time.UTC()
		}
	}
	return at
}

// Replay puts dead letters back to the topics that they came from, each once: one process at a time, what
// is under way is noted before it is written, and looked for in Kafka where an earlier run died
// in between. What it gives is complete up to the error.
func (a Actions) Replay(ctx context.Context, places ...Place) (outcomes []Outcome, err error) {
	err = a.exclusively(ctx, func(ctx context.Context, doc coord.Document) error {
		for some := range slices.Chunk(places, batchSize) {
			done, err := a.replay(ctx, doc, some)
			outcomes = append(outcomes, done...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return outcomes, err
}

// Discard notes that nothing more is to be done about dead letters: they stay in Kafka until its retention
// takes them.
func (a Actions) Discard(ctx context.Context, places ...Place) (outcomes []Outcome, err error) {
	err = a.exclusively(ctx, func(ctx context.Context, doc coord.Document) error {
		kept, err := a.Log.Offsets(ctx, event.DLQTopic)
		if err != nil {
			return err
		}
		return change(ctx, doc, func(k *Decisions) error {
			outcomes = outcomes[:0]
			var taken []Place
			for _, p := range places {
				d := a.decision(ctx, k, p)
				switch r := kept[p.Partition]; {
				case p.Offset < r.First || p.Offset >= r.End:
					outcomes = append(outcomes, Outcome{Place: p, State: Refused, Why: fmt.Sprintf("%v: `dlq ls` shows those that are kept", ErrNone)})
				case slices.Contains(taken, p), d != nil && d.Action == Discarded:
					outcomes = append(outcomes, Outcome{Place: p, State: Already})
				case d != nil:
					outcomes = append(outcomes, Outcome{Place: p, State: Refused, Why: "it was " + d.String()})
				default:
					taken = append(taken, p)
					outcomes = append(outcomes, Outcome{Place: p, State: Dropped})
				}
			}
			k.note(Decision{Action: Discarded, By: a.By, At: a.at(ctx, taken...)}, taken...)
			k.forget(kept)
			return nil
		})
	})
	return outcomes, err
}

// Adopt notes decisions that were taken before there was a document of them, about dead letters that nobody has decided
// about since.
func (a Actions) Adopt(ctx context.Context, old map[Place]Decision) error {
	if len(old) == 0 {
		return nil
	}
	return a.exclusively(ctx, func(ctx context.Context, doc coord.Document) error {
		return change(ctx, doc, func(k *Decisions) error {
			for _, p := range slices.SortedFunc(maps.Keys(old), func(p, q Place) int { return old[p].At.Compare(old[q].At) }) {
				if k.Of(p, old[p].At) == nil {
					k.note(old[p], p)
				}
			}
			return nil
		})
	})
}

// String is a decision in words: put back by anna@ops at 2026-05-01T12:00:00Z.
func (d Decision) String() string {
	what := "discarded"
	if d.Action == PutBack {
		what = "put back"
	}
	if d.By != "" {
		what += " by " + d.By
	}
	if !d.At.IsZero() {
		what += " at " + d.At.UTC().Format(time.RFC3339)
	}
	return what
}

// exclusively decides while nobody else does, after what a run that died has left.
func (a Actions) exclusively(ctx context.Context, do func(context.Context, coord.Document) error) error {
	return a.Group.Own(ctx, Lease, func(ctx context.Context, _ coord.Lease) error {
		doc := a.Group.Document(DecisionsName)
		if err := a.finishEarlier(ctx, doc); err != nil {
			return err
		}
		return do(ctx, doc)
	})
}

// finishEarlier finishes what a run that died had under way: what it wrote is found by its header.
func (a Actions) finishEarlier(ctx context.Context, doc coord.Document) error {
	k, err := ReadDecisions(ctx, doc)
	if err != nil || k.Open == nil {
		return err
	}
	written, err := a.written(ctx, *k.Open)
	if err != nil {
		return fmt.Errorf("looking for what an earlier run put back: %w", err)
	}
	if err := a.announce(ctx, slices.Collect(maps.Values(written))); err != nil {
		return err
	}
	return change(ctx, doc, func(k *Decisions) error {
		if k.Open == nil {
			return nil
		}
		places := slices.SortedFunc(maps.Keys(written), comparePlaces)
		k.note(Decision{Action: PutBack, By: k.Open.By, At: a.at(ctx, places...)}, places...)
		k.Open = nil
		return nil
	})
}

// written are the records of a batch that Kafka has.
func (a Actions) written(ctx context.Context, b batch) (map[Place]kafka.Record, error) {
	wanted, found := map[Place]bool{}, map[Place]kafka.Record{}
	for _, p := range b.Places {
		wanted[p] = true
	}
	for topic, ends := range b.Ends {
		now, err := a.Log.Offsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		for partition, held := range now {
			err := a.Log.Scan(ctx, topic, partition, ends[partition], held.End, func(record kafka.Record) error {
				if p, ok := replayOf(record.Headers); ok && wanted[p] {
					found[p] = record
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// replay puts a few dead letters back.
func (a Actions) replay(ctx context.Context, doc coord.Document, places []Place) (outcomes []Outcome, err error) {
	kept, err := a.Log.Offsets(ctx, event.DLQTopic)
	if err != nil {
		return nil, err
	}
	k, err := ReadDecisions(ctx, doc)
	if err != nil {
		return nil, err
	}
	open := batch{Ends: map[string]map[int]int64{}, By: a.By}
	var records []kafka.Record
	var there []Place // Kafka has what was in them
	ids := map[string]bool{}
	for _, p := range places {
		if why, decided := a.decided(ctx, &k, p); decided || slices.Contains(open.Places, p) || slices.Contains(there, p) {
			state := Already
			if why != "" {
				state = Refused
			}
			outcomes = append(outcomes, Outcome{Place: p, State: state, Why: why})
			continue
		}
		record, err := a.prepare(ctx, p)
		if id := Header(record.Headers, "ce_id"); err == nil && id != "" {
			if ids[id] {
				err = errors.New("the same item goes back with another dead letter")
			}
			ids[id] = true
		}
		if err == nil && open.Ends[record.Topic] == nil {
			open.Ends[record.Topic], err = a.ends(ctx, record.Topic)
		}
		if ctx.Err() != nil {
			return outcomes, context.Cause(ctx)
		}
		switch at := (*alreadyThere)(nil); {
		case isThere(err, &at):
			there = append(there, p)
			outcomes = append(outcomes, Outcome{Place: p, State: Already, Why: at.Error()})
		case err != nil:
			outcomes = append(outcomes, Outcome{Place: p, State: Refused, Why: err.Error()})
		default:
			record.Headers = append(record.Headers, event.Header{Key: HeadReplay, Value: a.mark(p)})
			open.Places, records = append(open.Places, p), append(records, record)
		}
	}
	if len(records) > 0 {
		if err := change(ctx, doc, func(k *Decisions) error { k.Open = &open; return nil }); err != nil {
			return outcomes, err
		}
		if err := a.Log.Append(ctx, records...); err != nil {
			return outcomes, fmt.Errorf("putting %d dead letters back: %w: ask for it again; what Kafka has is looked for first", len(records), err)
		}
		for n, p := range open.Places {
			outcomes = append(outcomes, Outcome{Place: p, Topic: records[n].Topic, State: Replayed})
		}
		if err := a.announce(ctx, records); err != nil {
			return outcomes, err
		}
	}
	if len(records)+len(there) == 0 {
		return outcomes, nil
	}
	done := append(open.Places, there...)
	at := a.at(ctx, done...)
	return outcomes, change(ctx, doc, func(k *Decisions) error {
		k.note(Decision{Action: PutBack, By: a.By, At: at}, done...)
		k.Open = nil
		k.forget(kept)
		return nil
	})
}

// decided says whether nothing is left to do about a dead letter, and why where that is not what was asked.
func (a Actions) decided(ctx context.Context, k *Decisions, p Place) (why string, decided bool) {
	switch d := a.decision(ctx, k, p); {
	case d == nil:
		return "", false
	case d.Action == PutBack:
		return "", true
	case a.Again:
		return "", false
	default:
		return "it was " + d.String(), true
	}
}

// decision is what was decided about the dead letter that stands at a place now.
func (a Actions) decision(ctx context.Context, k *Decisions, p Place) *Decision {
	d := k.Of(p, time.Time{})
	if d == nil {
		return nil
	}
	r, err := Read(ctx, a.Log, p)
	if err != nil { // Kafka keeps it no longer: what is known of it is all there is
		return d
	}
	return k.Of(p, r.Time)
}

// ends are where a topic's partitions end now.
func (a Actions) ends(ctx context.Context, topic string) (map[int]int64, error) {
	ranges, err := a.Log.Offsets(ctx, topic)
	ends := make(map[int]int64, len(ranges))
	for p, o := range ranges {
		ends[p] = o.End
	}
	return ends, err
}

// mark is the header's value: canvas.dlq/0-17 2026-05-01T12:00:00Z by anna@ops.
func (a Actions) mark(p Place) []byte {
	return fmt.Appendf(nil, "%s/%s %s by %s", event.DLQTopic, p, a.now().Format(time.RFC3339), a.By)
}

// replayOf is the dead letter that a record was.
func replayOf(headers []event.Header) (Place, bool) {
	first, _, _ := strings.Cut(Header(headers, HeadReplay), " ")
	place, ok := strings.CutPrefix(first, event.DLQTopic+"/")
	if !ok {
		return Place{}, false
	}
	p, err := ParsePlace(place)
	return p, err == nil
}
