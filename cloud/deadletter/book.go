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

// BookName is the document that says what was decided about dead letters.
const BookName = "replays"

// What can be decided about a letter.
const (
	PutBack   = "replay"
	Discarded = "discard"
)

// Decision is what was done about a letter.
type Decision struct {
	Action string    `json:"action"`       // replay or discard
	By     string    `json:"by,omitempty"` // "" where nobody remembers
	At     time.Time `json:"at,omitzero"`
}

// Act is one decision about letters.
type Act struct {
	Decision
	Places offsets `json:"places"`
}

// offsets are offsets by partition of canvas.dlq; ascending, disjoint.
type offsets map[int][]event.Range

// Book is what was put back and what was discarded, and what is being put back now. A run that dies
// leaves what it had under way: the next one looks for it in Kafka before it does it again. Who did
// it when is remembered for the newest decisions, what was done for all.
type Book struct {
	Done    offsets `json:"done"`
	Dropped offsets `json:"discarded,omitempty"`
	Open    *batch  `json:"open,omitempty"`
	Acts    []Act   `json:"acts,omitempty"` // the newest last
}

// batch is letters that are being put back.
type batch struct {
	Places []Place                  `json:"places"`
	Ends   map[string]map[int]int64 `json:"ends"` // where each topic ended before, by partition
	By     string                   `json:"by,omitempty"`
}

// Bounds of the document: ZooKeeper takes a mebibyte.
const (
	keptActs  = 1000
	bookBytes = 512 << 10
	mostBytes = 960 << 10
)

// ParseBook reads the document.
func ParseBook(b []byte) (k Book, err error) {
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

// ReadBook reads the document.
func ReadBook(ctx context.Context, doc coord.Document) (Book, error) {
	value, _, err := doc.Get(ctx)
	if err != nil {
		return Book{}, err
	}
	return ParseBook(value)
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

// skew is how far an operator's clock may be behind the one that a letter was written by.
const skew = 10 * time.Minute

// Of is what was decided about the letter that stands at a place since then; nil: nothing yet. A
// decision that is older than the letter was about another, of a topic or a Kafka that stood where this
// one stands. then may be zero: any time.
func (k *Book) Of(p Place, then time.Time) *Decision {
	put, dropped := k.Done.has(p), k.Dropped.has(p)
	if !put && !dropped {
		return nil
	}
	for _, a := range slices.Backward(k.Acts) {
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
func (k *Book) note(d Decision, places ...Place) {
	act := Act{Decision: d, Places: offsets{}}
	for _, p := range places {
		if d.Action == PutBack {
			k.Done.add(p)
			k.Dropped.remove(p)
		} else {
			k.Dropped.add(p)
			k.Done.remove(p)
		}
		act.Places.add(p)
	}
	if len(places) > 0 {
		k.Acts = append(k.Acts, act)
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

// forget keeps the book small.
func (k *Book) forget(kept map[int]kafka.OffsetRange) {
	k.Done.forget(kept)
	k.Dropped.forget(kept)
	for _, a := range k.Acts {
		a.Places.forget(kept)
	}
	k.Acts = slices.DeleteFunc(k.Acts, func(a Act) bool { return len(a.Places) == 0 })
}

// marshal lets go of who did it when, the oldest first, where that would be too much.
func (k *Book) marshal() ([]byte, error) {
	k.Acts = k.Acts[max(0, len(k.Acts)-keptActs):]
	for {
		b, err := json.Marshal(k)
		if err != nil {
			return nil, fmt.Errorf("writing what was decided about dead letters: %w", err)
		}
		if len(b) <= bookBytes || len(k.Acts) == 0 && len(b) <= mostBytes {
			return b, nil
		}
		if len(k.Acts) == 0 {
			return nil, fmt.Errorf("the decisions about dead letters take %d bytes, more than the coordinator keeps: decide about letters in rows, not here and there, or let Kafka's retention take old ones", len(b))
		}
		k.Acts = k.Acts[(len(k.Acts)+1)/2:]
	}
}

// change reads the book, lets do change it, and writes it, again where another was faster.
func change(ctx context.Context, doc coord.Document, do func(*Book) error) error {
	for {
		value, version, err := doc.Get(ctx)
		if err != nil {
			return err
		}
		k, err := ParseBook(value)
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

// Mark says of each letter what was decided about it.
func (k *Book) Mark(letters []Letter) {
	for n := range letters {
		l := &letters[n]
		l.Decision = k.Of(l.Place, l.Time)
		l.Replayed = l.Decision != nil && l.Decision.Action == PutBack
	}
}
