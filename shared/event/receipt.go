package event

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/oklog/ulid/v2"
)

// Range is an inclusive range of sequence numbers. Its JSON is [from,to].
type Range struct{ From, To uint64 }

// MarshalJSON writes [from,to].
func (r Range) MarshalJSON() ([]byte, error) { return json.Marshal([2]uint64{r.From, r.To}) }

// UnmarshalJSON reads [from,to].
func (r *Range) UnmarshalJSON(b []byte) error {
	var pair []uint64
	if err := json.Unmarshal(b, &pair); err != nil {
		return fmt.Errorf("a range is [from,to]: %w", err)
	}
	if len(pair) != 2 || pair[0] > pair[1] {
		return fmt.Errorf("a range is [from,to] with from ≤ to, not %.60s", b)
	}
	r.From, r.To = pair[0], pair[1]
	return nil
}

// Receipt is the cloud's word for what Kafka has of one epoch of one edge: everything up to
// Through, and the ranges above it. Its JSON is {"epoch","through","above":[[from,to],…]}.
type Receipt struct {
	Epoch   Epoch   `json:"epoch"`
	Through uint64  `json:"through"`
	Above   []Range `json:"above"` // ascending, disjoint, all above Through
	// Parts are what the cloud holds of large items that are not whole yet. They need not be sent
	// again, also after a restart of either side.
	Parts []PartsHeld `json:"parts,omitempty"`
	// Last is the item with the highest number of this epoch that Kafka has, as far as its id is known.
	Last *Known `json:"last,omitempty"`
	// Conflicts are numbers under which Kafka has another item than the one that came. Such an item
	// is not in Kafka: its edge sends it in a new epoch.
	Conflicts []Known `json:"conflicts,omitempty"`
	// Twin is the epoch of another agent that speaks under the same name at the same time.
	Twin Epoch `json:"twin,omitempty"`
}

// Known is an item that Kafka has under a number: {"seq":9,"id":"01J…"}.
type Known struct {
	Seq uint64    `json:"seq"`
	ID  ulid.ULID `json:"id"`
}

// MaxConflicts bounds the conflicts of one receipt: one is enough to begin a new epoch.
const MaxConflicts = 16

// PartsHeld are the parts of one item that rest in the cloud: {"seq":9,"of":80,"have":[[0,41]]}.
type PartsHeld struct {
	Seq  uint64  `json:"seq"`
	Of   uint32  `json:"of"`   // how many parts the item was cut into; what was cut otherwise counts for nothing
	Have []Range `json:"have"` // numbers of parts from 0, ascending, disjoint
}

// MaxRanges bounds the ranges of one receipt. Whoever has more leaves out the highest: they come
// with the next receipt, when the gaps below have closed.
const MaxRanges = 4096

// Has says whether the receipt covers seq.
func (r Receipt) Has(seq uint64) bool {
	if seq <= r.Through {
		return seq > 0
	}
	for _, a := range r.Above {
		if a.From <= seq && seq <= a.To {
			return true
		}
	}
	return false
}

// Highest is the highest number that the receipt says Kafka has.
func (r Receipt) Highest() uint64 {
	highest := r.Through
	if n := len(r.Above); n > 0 {
		highest = max(highest, r.Above[n-1].To)
	}
	if r.Last != nil {
		highest = max(highest, r.Last.Seq)
	}
	return highest
}

// CountAbove is how many numbers above that one the receipt covers.
func (r Receipt) CountAbove(seq uint64) (n uint64) {
	if r.Through > seq {
		n = r.Through - seq
	}
	for _, a := range r.Above {
		if a.To > seq {
			n += a.To - max(a.From, seq+1) + 1
		}
	}
	return n
}

// Check says what is wrong with a receipt.
func (r Receipt) Check() error {
	if !r.Epoch.Valid() {
		return fmt.Errorf("%w: receipt with epoch %.40q", ErrMalformed, r.Epoch)
	}
	if len(r.Above) > MaxRanges {
		return fmt.Errorf("%w: receipt with %d ranges, %d is the limit", ErrTooLarge, len(r.Above), MaxRanges)
	}
	last := r.Through
	for n, a := range r.Above {
		if a.From <= last || a.From > a.To || a.To == math.MaxUint64 {
			return fmt.Errorf("%w: receipt's range %d [%d,%d] is not above what stands before it (%d)", ErrMalformed, n, a.From, a.To, last)
		}
		last = a.To
	}
	if len(r.Parts) > MaxRanges {
		return fmt.Errorf("%w: receipt with parts of %d items, %d is the limit", ErrTooLarge, len(r.Parts), MaxRanges)
	}
	if len(r.Conflicts) > MaxConflicts {
		return fmt.Errorf("%w: receipt with %d conflicts, %d is the limit", ErrTooLarge, len(r.Conflicts), MaxConflicts)
	}
	if r.Twin != "" && !r.Twin.Valid() {
		return fmt.Errorf("%w: receipt with twin %.40q", ErrMalformed, r.Twin)
	}
	for _, p := range r.Parts {
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}

func (p PartsHeld) check() error {
	if p.Seq == 0 || p.Of == 0 || len(p.Have) > MaxRanges {
		return fmt.Errorf("%w: receipt for %d ranges of %d parts of item %d", ErrMalformed, len(p.Have), p.Of, p.Seq)
	}
	next := uint64(0)
	for _, h := range p.Have {
		if h.From < next || h.From > h.To || h.To >= uint64(p.Of) {
			return fmt.Errorf("%w: receipt's parts [%d,%d] of item %d, which has %d", ErrMalformed, h.From, h.To, p.Seq, p.Of)
		}
		next = h.To + 1
	}
	return nil
}

// Item is the receipt as the cloud sends it to edge: an item of kind receipt without a number of
// its own, to be published to ReceiptsTopic(edge).
func (r Receipt) Item(edge string, at time.Time) (Item, error) {
	if r.Above == nil {
		r.Above = []Range{}
	}
	if err := r.Check(); err != nil {
		return Item{}, err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return Item{}, fmt.Errorf("writing a receipt: %w", err)
	}
	return Item{
		ID: NewID(at), Edge: edge, Kind: Ack, Stream: "bridge", Time: at.UTC(), Priority: Urgent,
		Type: "application/json", SHA256: Sum(data), Data: data,
	}, nil
}

// ParseReceipt reads a receipt that came down: the data of an item of kind receipt.
func ParseReceipt(i Item) (Receipt, error) {
	var r Receipt
	if i.Kind != Ack {
		return r, fmt.Errorf("%w: a %s is not a receipt", ErrMalformed, i.Kind)
	}
	if err := json.Unmarshal(i.Data, &r); err != nil {
		return Receipt{}, fmt.Errorf("%w: receipt: %w", ErrMalformed, err)
	}
	return r, r.Check()
}

// Drop is one entry of the ledger of drops: an item that the edge dropped, and why.
type Drop struct {
	Seq    uint64 `json:"seq"`
	Kind   Kind   `json:"kind"`
	Stream string `json:"stream"`
	Bytes  int64  `json:"bytes"`
	Reason string `json:"reason"` // quota, expired, superseded, corrupt, …
}

// DropReport is the data of an upward receipt: these numbers will never come.
type DropReport struct {
	Drops []Drop `json:"drops"` // of the epoch of the item that reports them
	// Earlier are drops of epochs that have ended. They stand apart so that a bridge that does not
	// know of them passes over them, and does not take their numbers for the report's own epoch's.
	Earlier []EpochDrops `json:"earlier,omitempty"`
}

// EpochDrops are drops of one epoch.
type EpochDrops struct {
	Epoch Epoch  `json:"epoch"`
	Drops []Drop `json:"drops"`
}

// Each gives all drops with their epochs; own is that of the item that reports them.
func (r DropReport) Each(own Epoch) iter.Seq2[Epoch, Drop] {
	return func(yield func(Epoch, Drop) bool) {
		for _, d := range r.Drops {
			if !yield(own, d) {
				return
			}
		}
		for _, e := range r.Earlier {
			for _, d := range e.Drops {
				if !yield(e.Epoch, d) {
					return
				}
			}
		}
	}
}

// ParseDropReport reads the data of an upward item of kind receipt.
func ParseDropReport(i Item) (DropReport, error) {
	var r DropReport
	if i.Kind != Ack || i.Seq == 0 {
		return r, fmt.Errorf("%w: a %s with seq %d is not a drop report", ErrMalformed, i.Kind, i.Seq)
	}
	if err := checkJSON(i.Data, MaxWordsBytes); err != nil {
		return DropReport{}, fmt.Errorf("drop report: %w", err)
	}
	if err := json.Unmarshal(i.Data, &r); err != nil {
		return DropReport{}, fmt.Errorf("%w: drop report: %w", ErrMalformed, err)
	}
	if len(r.Drops) > MaxDrops {
		return DropReport{}, fmt.Errorf("%w: a drop report of %d drops, %d is the limit", ErrTooLarge, len(r.Drops), MaxDrops)
	}
	for _, d := range r.Drops {
		if d.Seq == 0 || d.Seq == i.Seq {
			return DropReport{}, fmt.Errorf("%w: drop report %d names seq %d", ErrMalformed, i.Seq, d.Seq)
		}
	}
	if len(r.Earlier) > MaxEpochs {
		return DropReport{}, fmt.Errorf("%w: drop report %d names %d earlier epochs, %d is the limit", ErrTooLarge, i.Seq, len(r.Earlier), MaxEpochs)
	}
	for _, e := range r.Earlier {
		if !e.Epoch.Valid() || e.Epoch == i.Epoch {
			return DropReport{}, fmt.Errorf("%w: drop report %d names epoch %.40q as an earlier one", ErrMalformed, i.Seq, e.Epoch)
		}
		for _, d := range e.Drops {
			if d.Seq == 0 {
				return DropReport{}, fmt.Errorf("%w: drop report %d names seq 0 of epoch %s", ErrMalformed, i.Seq, e.Epoch)
			}
		}
	}
	return r, nil
}
