package deadletter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// DecisionsName is the document that says what was decided about dead letters. Its name is that of the first
// program that wrote one.
const DecisionsName = "replays"

// What can be decided about a dead letter.
const (
	PutBack   = "replay"
	Discarded = "discard"
)

// Decision is what was done about a dead letter.
type Decision struct {
	Action string    `json:"action"`       // replay or discard
	By     string    `json:"by,omitempty"` // "" where nobody remembers
	At     time.Time `json:"at,omitzero"`
}

// Act is one decision about dead letters.
type Act struct {
	Decision
	Places offsets `json:"places"`
}

// offsets are offsets by partition of canvas.dlq; ascending, disjoint.
type offsets map[int][]event.Range

// Decisions are what was put back and what was discarded, and what is being put back now. A run that dies
// leaves what it had under way: the next one looks for it in Kafka before it does it again. Who did
// it when is remembered for the newest decisions, what was done for all.
type Decisions struct {
	Done    offsets `json:"done"`
	Dropped offsets `json:"discarded,omitempty"`
	Open    *batch  `json:"open,omitempty"`
	Acts    []Act   `json:"acts,omitempty"` // the newest last
}

// batch is dead letters that are being put back.
type batch struct {
	Places []Place                  `json:"places"`
	Ends   map[string]map[int]int64 `json:"ends"` // where each topic ended before, by partition
	By     string                   `json:"by,omitempty"`
}

// Bounds of the document: ZooKeeper takes a mebibyte.
const (
	keptActs      = 1000
	documentBytes = 512 << 10
	maxBytes      = 960 << 10
)

// ParseDecisions reads the document.
func ParseDecisions(b []byte) (k Decisions, err error) {
	if len(b) > 0 {
		if err = json.Unmarshal(b, &k); err != nil {
			return k, fmt.Errorf("reading what was decided about dead letters: %w", err)
		}
	}
	if k.Done == nil {
		k.Done = offsets{}
	}
	if k.Dropped == nil {
		k.Dropped = offsets{}
	}
	return k, nil
}

// ReadDecisions reads the document.
func ReadDecisions(ctx context.Context, doc coord.Document) (Decisions, error) {
	value, _, err := doc.Get(ctx)
	if err != nil {
		return Decisions{}, err
	}
	return ParseDecisions(value)
}

func (o offsets) has(p Place) bool {
	return slices.ContainsFunc(o[p.Partition], func(r event.Range) bool {
		return r.From <= uint64(p.Offset) && uint64(p.Offset) <= r.To
	})
}

func (o offsets) add(p Place) {
	if o.has(p) {
		return
	}
	all := append(o[p.Partition], event.Range{From: uint64(p.Offset), To: uint64(p.Offset)})
	slices.SortFunc(all, func(a, b event.Range) int { return cmp.Compare(a.From, b.From) })
	joined := all[:1]
	for _, r := range all[1:] {
		if last := &joined[len(joined)-1]; r.From == last.To+1 {
			last.To = r.To
		} else {
			joined = append(joined, r)
		}
	}
	o[p.Partition] = joined
}

// forget drops what Kafka's retention has deleted, and what was never written: the topic is another.
func (o offsets) forget(kept map[int]kafka.OffsetRange) {
	for partition, all := range o {
		r, known := kept[partition]
		o[partition] = slices.DeleteFunc(all, func(a event.Range) bool {
			return known && (a.To < uint64(r.First) || a.From >= uint64(max(r.End, 0)))
		})
		if len(o[partition]) == 0 {
			delete(o, partition)
		}
	}
}

// skew is how far an operator's clock may be behind the one that a dead letter was written by.
const skew = 10 * time.Minute

// Of is what was decided about the dead letter that stands at a place since then; nil: nothing yet. A
// decision that is older than the dead letter was about another, of a topic or a Kafka that stood where this
// one stands. then may be zero: any time.
func (d *Decisions) Of(p Place, then time.Time) *Decision {
	put, dropped := d.Done.has(p), d.Dropped.has(p)
	if !put && !dropped {
		return nil
	}
	for _, a := range slices.Backward(d.Acts) {
		if a.Places.has(p) {
			if !a.At.IsZero() && then.After(a.At.Add(skew)) {
				return nil
			}
			return &a.Decision
		}
	}
	if put {
		return &Decision{Action: PutBack}
	}
	return &Decision{Action: Discarded}
}

// note writes a decision down.
func (all *Decisions) note(d Decision, places ...Place) {
	act := Act{Decision: d, Places: offsets{}}
	for _, p := range places {
		if d.Action == PutBack {
			all.Done.add(p)
			all.Dropped.remove(p)
		} else {
			all.Dropped.add(p)
			all.Done.remove(p)
		}
		act.Places.add(p)
	}
	if len(places) > 0 {
		all.Acts = append(all.Acts, act)
	}
}

func (o offsets) remove(p Place) {
	if !o.has(p) {
		return
	}
	var rest []event.Range
	at := uint64(p.Offset)
	for _, r := range o[p.Partition] {
		if at < r.From || at > r.To {
			rest = append(rest, r)
			continue
		}
		if r.From < at {
			rest = append(rest, event.Range{From: r.From, To: at - 1})
		}
		if at < r.To {
			rest = append(rest, event.Range{From: at + 1, To: r.To})
		}
	}
	o[p.Partition] = rest
}

// forget keeps the document small.
func (d *Decisions) forget(kept map[int]kafka.OffsetRange) {
	d.Done.forget(kept)
	d.Dropped.forget(kept)
	for _, a := range d.Acts {
		a.Places.forget(kept)
	}
	d.Acts = slices.DeleteFunc(d.Acts, func(a Act) bool { return len(a.Places) == 0 })
}

// marshal drops who did it when, the oldest first, where that would be too much.
func (d *Decisions) marshal() ([]byte, error) {
	d.Acts = d.Acts[max(0, len(d.Acts)-keptActs):]
	for {
		b, err := json.Marshal(d)
		if err != nil {
			return nil, fmt.Errorf("writing what was decided about dead letters: %w", err)
		}
		if len(b) <= documentBytes || len(d.Acts) == 0 && len(b) <= maxBytes {
			return b, nil
		}
		if len(d.Acts) == 0 {
			return nil, fmt.Errorf("the decisions about dead letters take %d bytes, more than the coordinator keeps: decide about neighbouring dead letters, not here and there, or let Kafka's retention take old ones", len(b))
		}
		d.Acts = d.Acts[(len(d.Acts)+1)/2:]
	}
}

// change reads the decisions, lets do change them, and writes them, again where another was faster.
func change(ctx context.Context, doc coord.Document, do func(*Decisions) error) error {
	for {
		value, version, err := doc.Get(ctx)
		if err != nil {
			return err
		}
		k, err := ParseDecisions(value)
		if err != nil {
			return err
		}
		if err := do(&k); err != nil {
			return err
		}
		b, err := k.marshal()
		if err != nil {
			return err
		}
		if _, err = doc.Put(ctx, b, version); !errors.Is(err, coord.ErrChanged) {
			return err
		}
	}
}

// Mark says of each dead letter what was decided about it.
func (d *Decisions) Mark(deadLetters []Entry) {
	for n := range deadLetters {
		l := &deadLetters[n]
		l.Decision = d.Of(l.Place, l.Time)
		l.Replayed = l.Decision != nil && l.Decision.Action == PutBack
	}
}
