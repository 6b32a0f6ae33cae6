package dlq

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// BooksName is the document that says which letters were put back.
const BooksName = "replays"

// books are what was put back, by partition of canvas.dlq, and what is under way. A run that dies
// leaves what it had under way: the next one looks for it in Kafka before it does it again.
type books struct {
	Done map[int][]event.Range `json:"done"` // offsets; ascending, disjoint
	Open *batch                `json:"open,omitempty"`
}

// batch is letters that are being put back.
type batch struct {
	Places []Place                  `json:"places"`
	Ends   map[string]map[int]int64 `json:"ends"` // where each topic ended before, by partition
}

func parseBooks(b []byte) (k books, err error) {
	if len(b) > 0 {
		if err = json.Unmarshal(b, &k); err != nil {
			return k, fmt.Errorf("reading what was put back: %w", err)
		}
	}
	if k.Done == nil {
		k.Done = map[int][]event.Range{}
	}
	return k, nil
}

func (k books) has(p Place) bool {
	return slices.ContainsFunc(k.Done[p.Partition], func(r event.Range) bool {
		return r.From <= uint64(p.Offset) && uint64(p.Offset) <= r.To
	})
}

// add writes down that p was put back.
func (k books) add(p Place) {
	if k.has(p) {
		return
	}
	all := append(k.Done[p.Partition], event.Range{From: uint64(p.Offset), To: uint64(p.Offset)})
	slices.SortFunc(all, func(a, b event.Range) int { return cmp.Compare(a.From, b.From) })
	joined := all[:1]
	for _, r := range all[1:] {
		if last := &joined[len(joined)-1]; r.From == last.To+1 {
			last.To = r.To
		} else {
			joined = append(joined, r)
		}
	}
	k.Done[p.Partition] = joined
}

// forget drops what Kafka's retention has deleted, so that the books stay small.
func (k books) forget(kept map[int]broker.OffsetRange) {
	for partition, all := range k.Done {
		first := uint64(kept[partition].First)
		k.Done[partition] = slices.DeleteFunc(all, func(r event.Range) bool { return r.To < first })
	}
}

// change reads the books, lets do change them, and writes them, again where another was faster.
func change(ctx context.Context, doc coord.Document, do func(*books) error) error {
	for {
		value, version, err := doc.Get(ctx)
		if err != nil {
			return err
		}
		k, err := parseBooks(value)
		if err != nil {
			return err
		}
		if err := do(&k); err != nil {
			return err
		}
		b, err := json.Marshal(k)
		if err != nil {
			return fmt.Errorf("writing what was put back: %w", err)
		}
		if _, err = doc.Put(ctx, b, version); !errors.Is(err, coord.ErrChanged) {
			return err
		}
	}
}

// Mark says of each letter whether it was put back.
func Mark(ctx context.Context, doc coord.Document, letters []Letter) error {
	value, _, err := doc.Get(ctx)
	if err != nil {
		return err
	}
	k, err := parseBooks(value)
	for n := range letters {
		letters[n].Replayed = k.has(letters[n].Place)
	}
	return err
}
