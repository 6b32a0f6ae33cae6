package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/telemetry"
)

// Bounds of the count by edge.
const (
	deadEdges        = 1024        // that are counted each for itself
	otherEdges       = "(others)"  // and together
	deadHour         = time.Hour   // what an allowance is for
	deadSummaryEvery = time.Minute // between two summaries of those that were not kept
	deadKinds        = 32          // of faults that one summary counts each for itself
	shownTopic       = 200         // bytes of a topic in a summary
)

// deadBounds is how many dead letters each edge may still make this hour. Of what is beyond, every so
// often one is kept (the 1st, 2nd, 4th, 8th … ), and one summary a minute reports all. What is not
// kept is not settled either: its edge gets no receipt for it and keeps it. Only the commit loop
// uses it.
type deadBounds struct {
	limits deadletter.Limits
	now    func() time.Time
	edges  map[string]*allowance
}

// allowance is one edge's.
type allowance struct {
	since      time.Time
	kept       int
	bytes      int64
	over       uint64 // beyond the bound, this hour
	unreported unreported
	reported   time.Time
}

// unreported is what no summary reports yet.
type unreported struct {
	Edge    string            `json:"edge"`
	Count   uint64            `json:"count"`
	Bytes   uint64            `json:"bytes"`
	First   counted           `json:"first"`
	Last    counted           `json:"last"`
	Reasons map[string]uint64 `json:"reasons"` // how many of each kind of fault
}

// counted is one message that was counted and not kept.
type counted struct {
	Time   time.Time `json:"time"`
	Topic  string    `json:"topic"`
	Bytes  int       `json:"bytes"`
	Reason string    `json:"reason"`
	SHA256 string    `json:"sha256"`
}

func newDeadBounds(limits deadletter.Limits, now func() time.Time) *deadBounds {
	return &deadBounds{limits: limits.WithDefaults(), now: now, edges: map[string]*allowance{}}
}

func (q *deadBounds) of(edge string) (string, *allowance) {
	if q.edges[edge] == nil && len(q.edges) >= deadEdges {
		q.sweep()
		if len(q.edges) >= deadEdges {
			edge = otherEdges
		}
	}
	a := q.edges[edge]
	if a == nil {
		a = &allowance{since: q.now()}
		q.edges[edge] = a
	}
	return edge, a
}

// sweep forgets edges of an hour that is over and that nothing is left to report of.
func (q *deadBounds) sweep() {
	for edge, a := range q.edges {
		if a.unreported.Count == 0 && q.now().Sub(a.since) >= deadHour {
			delete(q.edges, edge)
		}
	}
}

// keep says whether a dead letter is written; else it is counted.
func (q *deadBounds) keep(topic string, payload []byte, print [sha256.Size]byte, reason error) bool {
	name, a := q.of(edgeNamed(topic))
	if now := q.now(); now.Sub(a.since) >= deadHour {
		a.since, a.kept, a.bytes, a.over = now, 0, 0, 0
	}
	size := int64(len(payload))
	if a.kept < q.limits.PerHour && a.bytes+size <= q.limits.BytesPerHour {
		a.kept++
		a.bytes += size
		return true
	}
	a.over++
	if a.over&(a.over-1) == 0 && size <= event.MaxInline { // a sample
		return true
	}
	a.unreported.count(name, counted{q.now().UTC(), cutText(topic, shownTopic), len(payload), cutText(reason.Error(), 2*shownTopic), fmt.Sprintf("%x", print)}, exception(reason))
	return false
}

func (u *unreported) count(edge string, c counted, kind string) {
	if u.Count == 0 {
		*u = unreported{Edge: edge, First: c, Reasons: map[string]uint64{}}
	}
	u.Count++
	u.Bytes += uint64(c.Bytes)
	u.Last = c
	if _, known := u.Reasons[kind]; !known && len(u.Reasons) >= deadKinds {
		kind = "other"
	}
	u.Reasons[kind]++
}

// due are the allowances that must be reported now; all of them where the bridge stops.
func (q *deadBounds) due(all bool) (due []*allowance) {
	for _, a := range q.edges {
		if a.unreported.Count > 0 && (all || q.now().Sub(a.reported) >= deadSummaryEvery) {
			due = append(due, a)
		}
	}
	return due
}

// reportCounted writes dead letters that sum up those that were not kept. Where Kafka is away they wait.
func (s *session) reportCounted(ctx context.Context, all bool) {
	due := s.deadBounds.due(all)
	if len(due) == 0 {
		return
	}
	b := &batch{began: s.deadBounds.now(), trace: s.Trace}
	for _, a := range due {
		b.entries = append(b.entries, entry{poison: true, record: summaryOf(&a.unreported, s.deadBounds.limits)})
	}
	if err := s.append(ctx, b); err != nil {
		return
	}
	for _, a := range due {
		u := &a.unreported
		s.Logger.Warn("dead letters of an edge are over their bound: they are counted, and one summary reports them", telemetry.Edge, u.Edge, "count", u.Count, "bytes", u.Bytes, "reason", u.Last.Reason)
		a.reported, a.unreported = s.deadBounds.now(), unreported{}
	}
	s.dirty = true
}

// summaryOf is the dead letter that sums u up.
func summaryOf(u *unreported, limits deadletter.Limits) kafka.Record {
	value, err := json.Marshal(u)
	if err != nil {
		value = []byte("{}")
	}
	why := deadletter.Cause{
		Topic: u.Last.Topic, Offset: -1, Connector: "canvas-bridge", Stage: deadletter.StageConvert, Class: "cloudcanvas/cloud/bridge", Exception: "bridge.TooMany",
		Reason: fmt.Sprintf("%d more messages of edge %s (%d bytes) could not be read and were counted, not kept: it made more than %d dead letters or %d bytes of them in an hour. The first came at %s, the last at %s: %s",
			u.Count, u.Edge, u.Bytes, limits.PerHour, limits.BytesPerHour, u.First.Time.Format(time.RFC3339), u.Last.Time.Format(time.RFC3339), u.Last.Reason),
	}
	return kafka.Record{Topic: event.DLQTopic, Key: []byte(u.Edge), Value: value,
		Headers: append(why.Headers(), event.Header{Key: deadletter.HeadSummary, Value: strconv.AppendUint(nil, u.Count, 10)})}
}

// edgeNamed is the edge in whose name a topic is, also where the rest of the topic means nothing.
func edgeNamed(topic string) string {
	if edge := deadletter.EdgeOf(topic); edge != "" {
		return edge
	}
	return otherEdges
}

func cutText(text string, most int) string {
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "�")
}
