package dedup

import (
	"cmp"
	"context"
	"slices"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// EdgeStatus is what the bridge knows of one epoch of one edge.
type EdgeStatus struct {
	Edge    string        `json:"edge"`
	Slot    int           `json:"slot"`
	Epoch   event.Epoch   `json:"epoch"`
	Through uint64        `json:"through"`        // Kafka has everything up to here
	Highest uint64        `json:"highest"`        // the largest number that came
	Missing uint64        `json:"missing"`        // numbers below the highest that have not come
	Gaps    []event.Range `json:"gaps"`           // the first of them
	Since   time.Time     `json:"since,omitzero"` // since when the first gap stands
	Last    time.Time     `json:"last"`           // when something last came
	// Twin is the epoch of another agent that uses the same name at the same time.
	Twin event.Epoch `json:"twin,omitempty"`
	// Refused are messages of the edge that went over a bound, by the bound.
	Refused map[string]uint64 `json:"refused,omitempty"`
	Counts
}

// gapsListed bounds the gaps that a status names.
const gapsListed = 16

// Status lists all edges by name, the epoch used last first.
func (l *State) Status() []EdgeStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []EdgeStatus{}
	now := l.now()
	for slot, edges := range l.slots {
		for edge, d := range edges {
			for epoch, a := range d.epochs {
				all = append(all, EdgeStatus{
					Edge: edge, Slot: slot, Epoch: epoch, Through: a.through, Highest: a.highest(),
					Missing: a.missing(), Gaps: a.gaps(gapsListed), Since: a.stuck, Last: a.used,
					Twin: d.twin.of(epoch, now), Refused: d.refused.byName(), Counts: a.Counts,
				})
			}
		}
	}
	slices.SortFunc(all, func(a, b EdgeStatus) int {
		return cmp.Or(cmp.Compare(a.Edge, b.Edge), b.Last.Compare(a.Last), cmp.Compare(a.Epoch, b.Epoch))
	})
	return all
}

// Report is what the checkpoints in Kafka say of every edge, whoever carries it: a few seconds old at
// most while something comes. It needs no bridge.
func Report(ctx context.Context, log Log) ([]EdgeStatus, error) {
	latest, err := Latest(ctx, log, func(kafka.Record, error) {})
	if kafka.NoTopic(err) {
		return nil, nil // no bridge has run yet
	}
	if err != nil {
		return nil, err
	}
	state := New(time.Now)
	for _, parts := range latest {
		for _, c := range parts {
			if err := state.Load(c); err != nil {
				return nil, err
			}
		}
	}
	return state.Status(), nil
}

// lateAfter is how long a gap may stand before it is reported: with priorities and several messages in
// flight there are always some, and an edge sends again after 30 s.
const lateAfter = time.Minute

// Late says that something of this edge has been missing for long, although more has come since.
func (s EdgeStatus) Late(now time.Time) bool {
	return s.Missing > 0 && !s.Since.IsZero() && now.Sub(s.Since) >= lateAfter
}
