package lineage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Log is what is needed of Kafka; *kafka.Client has it.
type Log interface {
	Offsets(ctx context.Context, topic string) (map[int]kafka.OffsetRange, error)
	OffsetsAt(ctx context.Context, topic string, at time.Time) (map[int]int64, error)
	Committed(ctx context.Context, group, topic string) (map[int]int64, error)
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
}

// Objects is where large data rests: manifests of very large scenes.
type Objects interface {
	Get(ctx context.Context, ref string) ([]byte, error)
}

// Owner is who works on a partition, and since which epoch.
type Owner struct {
	Member string
	Epoch  int64
}

// EpochState is how far the bridge has received one epoch of an edge.
type EpochState struct {
	Edge    string
	Epoch   event.Epoch
	Through uint64        // all up to here has come, or is in the ledger of drops
	Highest uint64        // the largest number that came
	Gaps    []event.Range // the first that have not
}

// Finder finds what became of items. Only Log must be there: what the others know is left out.
type Finder struct {
	Log     Log
	Objects Objects
	Owners  func(context.Context) (map[string]Owner, error) // by what is owned: canvas.work-3
	Epochs  func(context.Context) ([]EpochState, error)
	Group   string // whose offsets in canvas.work say what is done
	Now     func() time.Time
}

// States of an item, from the last that is known of it.
const (
	Received  = "received" // it is in Kafka, and nothing more is made of it by itself
	Waiting   = "waiting"  // in canvas.work, and no worker has finished it
	HasResult = "result"   // a model has seen it; no product has it yet
	InProduct = "product"  // it is in a product
	Dead      = "dead"     // it is among the dead letters
	Dropped   = "dropped"  // its edge dropped it, and said so
	NotSent   = "not sent" // its edge looked at it and made no item of it
	Missing   = "missing"  // its edge has numbered it, and it has not come
)

// History is what became of one item.
type History struct {
	State    string    `json:"state"`
	Why      string    `json:"why,omitempty"` // of what ends badly
	ID       string    `json:"id,omitempty"`
	Edge     string    `json:"edge,omitempty"`
	Epoch    string    `json:"epoch,omitempty"`
	Seq      uint64    `json:"seq,omitempty"`
	Kind     string    `json:"kind,omitempty"`
	Stream   string    `json:"stream,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Bytes    int       `json:"bytes"`
	DataRef  string    `json:"dataref,omitempty"`
	SHA256   string    `json:"sha256,omitempty"`
	Trace    string    `json:"trace,omitempty"` // id of its trace, for a tracing backend
	Steps    []Step    `json:"steps"`
	Captured time.Time `json:"captured,omitzero"`
}

// Step is one thing that happened to an item.
type Step struct {
	What string    `json:"step"`
	At   time.Time `json:"at,omitzero"`
	// Clock is whose At is: the edge's may be wrong by any amount.
	Clock string `json:"clock,omitempty"` // edge or kafka

	Topic     string `json:"topic,omitempty"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`

	Worker       string `json:"worker,omitempty"`
	Lease        string `json:"lease,omitempty"` // the fencing epoch under which the worker had the partition
	Model        string `json:"model,omitempty"`
	ModelVersion string `json:"model_version,omitempty"`
	Detail       string `json:"detail,omitempty"`
}

const (
	edgeClock  = "edge"
	kafkaClock = "kafka"
)

// ErrUnknown says that nothing is known of an item.
var ErrUnknown = errors.New("nothing is known of it")

// Find gives the history of every item that the query names: one, where it is an id or a number; of a
// subject the newest. since is how far back to look, or 0: from the id's own time on. The error is
// ErrUnknown where there is none.
func (f Finder) Find(ctx context.Context, q Query, since time.Duration) ([]History, error) {
	if f.Now == nil {
		f.Now = time.Now
	}
	if since == 0 && q.ID.IsZero() {
		since = DefaultSince
	}
	from := q.from(f.Now(), since)
	found, err := f.search(ctx, q, from)
	if err != nil {
		return nil, err
	}
	histories := make([]History, 0, len(found.arrivals))
	for _, a := range found.arrivals {
		s, err := f.history(ctx, a)
		if err != nil {
			return nil, err
		}
		histories = append(histories, s)
	}
	if histories = append(histories, found.unsent(q)...); len(histories) > 0 {
		return histories, nil
	}
	if s, ok, err := f.missing(ctx, q); err != nil || ok {
		return []History{s}, err
	}
	return nil, fmt.Errorf("%s: %w: Kafka has no such item since %s. If it is older, or the edge's clock was ahead, look further back with --since 720h; "+
		"if its edge still has it, `canvas-edge buffer ls` there shows it", q, ErrUnknown, from.UTC().Format(time.RFC3339))
}

// DefaultSince is how far back an item without a time of its own is looked for.
const DefaultSince = 24 * time.Hour

// missing is what the bridge knows of a number that Kafka does not show.
func (f Finder) missing(ctx context.Context, q Query) (s History, ok bool, err error) {
	if q.Seq == 0 || f.Epochs == nil {
		return s, false, nil
	}
	epochs, err := f.Epochs(ctx)
	if err != nil {
		return s, false, err
	}
	for _, b := range epochs {
		if b.Edge != q.Edge || b.Epoch != q.Epoch {
			continue
		}
		s = History{State: Missing, Edge: q.Edge, Epoch: string(q.Epoch), Seq: q.Seq}
		switch {
		case q.Seq > b.Highest:
			s.Why = fmt.Sprintf("it has not come; the highest number of this epoch so far is %d", b.Highest)
		case q.Seq > b.Through && within(b.Gaps, q.Seq):
			s.Why = fmt.Sprintf("it has not come, although later ones have (up to %d); its edge sends it again until it is received", b.Highest)
		default:
			s.State, s.Why = Received, "the bridge has received it, but Kafka no longer has it: it is older than was looked for (--since), or retention has deleted it"
		}
		return s, true, nil
	}
	return s, false, nil
}

func within(all []event.Range, seq uint64) bool {
	for _, r := range all {
		if r.From <= seq && seq <= r.To {
			return true
		}
	}
	return false
}
