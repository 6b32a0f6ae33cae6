// Package decisions is what operators decide about dead letters and about the edges that make them. The
// document of decisions is the cloud's own, in the coordinator: `canvas-cloud dlq` reads and writes the same. The
// console's audit has what was done here once more.
package decisions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// What operators do with dead letters, and with the edges that make them.
const (
	Replay  = deadletter.PutBack
	Discard = deadletter.Discarded
	Block   = "block"
	Unblock = "unblock"
)

// ErrCannot marks what can't be done with a dead letter, whoever asks.
var ErrCannot = errors.New("this dead letter can't be replayed")

// DeadLetter is one with what an operator did about it.
type DeadLetter struct {
	index.DeadLetter
	Handled *auth.Act `json:"handled"` // null: nobody has decided
}

// Source is an edge and a kind of fault that dead letters come from.
type Source struct {
	index.DeadLetterSource
	Blocked bool `json:"blocked"`
}

// BlockedEdge is an edge whose messages are refused.
type BlockedEdge struct {
	Edge   string    `json:"edge"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// Log is what is needed of Kafka.
type Log interface {
	Offsets(ctx context.Context, topic string) (map[int]kafka.OffsetRange, error)
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
}

// Options are what decisions are made of. Without a group in the actions nothing can be decided.
type Options struct {
	Actions deadletter.Actions
	Index   *index.Index
	Audit   *auth.Audit
	Log     Log
	Logger  *slog.Logger
}

// Decisions knows what was decided, and decides.
type Decisions struct {
	o       Options
	made    atomic.Pointer[deadletter.Decisions]
	blocked atomic.Pointer[blocklist.List]
}

// New knows nothing until Follow runs.
func New(o Options) *Decisions { return &Decisions{o: o} }

func placeOf(l index.DeadLetter) deadletter.Place {
	return deadletter.Place{Partition: l.Partition, Offset: l.Offset}
}

const nameFormat = event.DLQTopic + "-%d@%d of %s"

// nameOf differs for all dead letters, also from one of another Kafka that stood at the same place.
func nameOf(l index.DeadLetter) string {
	return fmt.Sprintf(nameFormat, l.Partition, l.Offset, l.Heard.UTC().Format(time.RFC3339Nano))
}

// handled is what was done about a dead letter, or nil.
func (d *Decisions) handled(l index.DeadLetter) *auth.Act {
	if made := d.made.Load(); made != nil {
		if of := made.Of(placeOf(l), l.Heard); of != nil {
			return &auth.Act{Time: of.At, Who: of.By, Action: of.Action, What: nameOf(l)}
		}
	}
	return d.o.Audit.Of(nameOf(l)) // of an earlier program, and not in the coordinator yet
}

// Undecided counts the dead letters that nobody has decided about.
func (d *Decisions) Undecided(ctx context.Context) (int, error) {
	return d.o.Index.DeadLetters.Count(ctx, func(l index.DeadLetter) bool { return d.handled(l) == nil })
}

// Find lists dead letters with what was done about them, the latest first.
func (d *Decisions) Find(ctx context.Context, limit, offset int) ([]DeadLetter, error) {
	found, err := d.o.Index.DeadLetters.Find(ctx, limit, offset)
	all := make([]DeadLetter, len(found))
	for i, l := range found {
		all[i] = DeadLetter{l, d.handled(l)}
	}
	return all, err
}

// One gives a dead letter, or index.ErrUnknown.
func (d *Decisions) One(ctx context.Context, partition int, offset int64) (DeadLetter, error) {
	l, err := d.o.Index.DeadLetters.One(ctx, partition, offset)
	return DeadLetter{l, d.handled(l)}, err
}

// Asked gives the dead letter whose partition and offset stand in the request's path, or index.ErrUnknown.
func (d *Decisions) Asked(r *http.Request) (DeadLetter, error) {
	partition, err := strconv.Atoi(r.PathValue("partition"))
	offset, err2 := strconv.ParseInt(r.PathValue("offset"), 10, 64)
	if err != nil || err2 != nil || partition < 0 || offset < 0 {
		return DeadLetter{}, fmt.Errorf("the dead letter is %w", index.ErrUnknown)
	}
	return d.One(r.Context(), partition, offset)
}

// Path is where the dead letter's page lies.
func (l DeadLetter) Path() string { return fmt.Sprintf("/letters/%d/%d", l.Partition, l.Offset) }

// Place is where it stands in Kafka.
func (l DeadLetter) Place() deadletter.Place { return placeOf(l.DeadLetter) }

// Sources lists where dead letters come from, the worst first.
func (d *Decisions) Sources(ctx context.Context) ([]Source, error) {
	found, err := d.o.Index.DeadLetters.Sources(ctx)
	all := make([]Source, len(found))
	blocked := d.blocked.Load()
	for i, s := range found {
		all[i] = Source{s, blocked != nil && blocked.Has(s.Edge)}
	}
	return all, err
}

// Blocked lists them.
func (d *Decisions) Blocked() []BlockedEdge {
	all := []BlockedEdge{}
	if list := d.blocked.Load(); list != nil {
		for edge, e := range *list {
			all = append(all, BlockedEdge{edge, e.By, e.At, e.Reason})
		}
	}
	slices.SortFunc(all, func(a, b BlockedEdge) int { return cmp.Compare(a.Edge, b.Edge) })
	return all
}

// Acts are the latest things that operators did: here, as the audit has it, and with dead letters anywhere.
func (d *Decisions) Acts(n int) []auth.Act {
	decided := d.decided(n)
	all := slices.DeleteFunc(d.o.Audit.Latest(10*n), func(a auth.Act) bool {
		return len(decided) > 0 && (a.Action == Replay || a.Action == Discard)
	})
	all = append(all, decided...)
	slices.SortStableFunc(all, func(a, b auth.Act) int { return b.Time.Compare(a.Time) })
	return all[:min(n, len(all))]
}

// decided are the latest decisions about dead letters, wherever they were taken, the newest first.
func (d *Decisions) decided(n int) (acts []auth.Act) {
	made := d.made.Load()
	if made == nil {
		return nil
	}
	for i := len(made.Acts) - 1; i >= 0 && len(acts) < n; i-- {
		act := made.Acts[i]
		for partition, ranges := range act.Places {
			for _, r := range ranges {
				what := fmt.Sprintf("dead letter %d-%d", partition, r.From)
				if r.To > r.From {
					what = fmt.Sprintf("dead letters %d-%d to %d-%d", partition, r.From, partition, r.To)
				}
				acts = append(acts, auth.Act{Time: act.At, Who: act.By, Action: act.Action, What: what})
			}
		}
	}
	return acts[:min(n, len(acts))]
}
