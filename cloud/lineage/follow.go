package lineage

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/trace"
)

// resultsSoon is within what time of an item's arrival its result is looked for first. Only where there is
// none, the rest of the topic is read.
const resultsSoon = time.Hour

// Headers that workers add to a result.
const (
	leaseHeader  = "canvas_lease"
	workerHeader = "canvas_worker"
)

// history is the whole way of one item.
func (f Finder) history(ctx context.Context, a arrival) (History, error) {
	i := &a.item
	s := History{
		State: Received, ID: i.ID.String(), Edge: i.Edge, Epoch: string(i.Epoch), Seq: i.Seq, Kind: string(i.Kind), Stream: i.Stream, Subject: i.Subject,
		Bytes: len(i.Data), DataRef: i.Attrs.DataRef, Trace: trace.ID(i), Captured: i.Time,
	}
	if !i.SHA256.IsZero() {
		s.SHA256 = i.SHA256.String()
	}
	if i.Epoch != "" {
		s.Steps = append(s.Steps, Step{What: "captured", At: i.Time, Clock: edgeClock, Detail: i.Stream},
			Step{What: "committed", At: ulid.Time(i.ID.Time()).UTC(), Clock: edgeClock, Detail: fmt.Sprintf("number %d of epoch %s", i.Seq, i.Epoch)})
	}
	if a.dead != nil {
		s.addDead(a)
		return s, nil
	}
	switch {
	case a.record.Topic == event.ProductsTopic:
		s.State = InProduct
		s.Steps = append(s.Steps, stepAt(a.record, "product published", ""))
		return s, nil
	case a.record.Topic == event.ResultsTopic && i.Epoch == "":
		if input, err := f.input(ctx, a); err != nil || input != nil {
			if err != nil {
				return s, err
			}
			return f.history(ctx, *input)
		}
		s.State = HasResult
		s.Steps = append(s.Steps, f.resultStep(ctx, a))
		return s, f.addProducts(ctx, &s, a)
	}
	s.Steps = append(s.Steps, stepAt(a.record, "received by the bridge", fmt.Sprintf("sent over canvas/v1/%s/up/%d/%s", i.Edge, i.Priority, i.Kind)))
	if a.record.Topic == event.WorkTopic {
		if err := f.addWork(ctx, &s, a); err != nil {
			return s, err
		}
	}
	if err := f.addProducts(ctx, &s, a); err != nil {
		return s, err
	}
	s.order()
	return s, nil
}

// order sorts what has Kafka's time; what the edge says stands before it, in its own order.
func (s *History) order() {
	if at := slices.IndexFunc(s.Steps, func(st Step) bool { return st.Clock == kafkaClock }); at >= 0 {
		slices.SortStableFunc(s.Steps[at:], func(a, b Step) int { return a.At.Compare(b.At) })
	}
}

// input is what a worker's result was made from, or nil where Kafka has it no more.
func (f Finder) input(ctx context.Context, result arrival) (input *arrival, err error) {
	of := &result.item
	err = f.scan(ctx, span{topic: event.WorkTopic, from: ulid.Time(of.ID.Time()).Add(-skew)}, func(r kafka.Record) error {
		h := headersOf(r)
		if h.edge != of.Edge || h.subject != of.Subject {
			return nil
		}
		item, err := r.Item()
		if err != nil || event.ResultID(item.ID, of.Attrs.Model, of.Attrs.ModelVersion) != of.ID {
			return nil
		}
		input = &arrival{item: item, record: bare(r)}
		return errFound
	})
	return input, err
}

// addWork adds what workers made of an item of canvas.work.
func (f Finder) addWork(ctx context.Context, s *History, a arrival) error {
	if i := &a.item; i.Kind == event.Tile {
		if err := f.addScreening(ctx, s, a); err != nil {
			return err
		}
	}
	if err := f.addResults(ctx, s, a); err != nil {
		return err
	}
	if err := f.addDeadLetters(ctx, s, a); err != nil {
		return err
	}
	if s.State != Received {
		return nil
	}
	return f.addWaiting(ctx, s, a)
}

// addScreening adds what the edge's manifest says of a tile, after its capture.
func (f Finder) addScreening(ctx context.Context, s *History, a arrival) error {
	return f.scan(ctx, span{topic: event.EventsTopic, key: a.item.Edge, from: a.record.Time.Add(-skew)}, func(r kafka.Record) error {
		h := headersOf(r)
		if h.kind != event.Scene || h.edge != a.item.Edge || h.subject != a.item.Attrs.Scene {
			return nil
		}
		manifest, err := r.Item()
		if err != nil {
			return nil
		}
		d := f.decision(ctx, manifest, a.item.Attrs.Tile)
		if d == nil {
			return nil
		}
		s.Steps = slices.Insert(s.Steps, min(1, len(s.Steps)), Step{What: "screened", Clock: edgeClock, Detail: reasonFor(*d)})
		return errFound
	})
}

// addResults adds what models found. A result is known by its id, which is derived from the item's.
func (f Finder) addResults(ctx context.Context, s *History, a arrival) error {
	in := &a.item
	key := event.Item{Kind: event.Result, Edge: in.Edge, Stream: in.Stream, Subject: in.Subject, Attrs: event.Attrs{Scene: in.Attrs.Scene}}
	seen := map[ulid.ULID]bool{} // one that was written twice counts once
	look := func(r kafka.Record) error {
		h := headersOf(r)
		if h.edge != in.Edge || h.subject != in.Subject {
			return nil
		}
		found, err := r.Item()
		if err != nil || found.ID != event.ResultID(in.ID, found.Attrs.Model, found.Attrs.ModelVersion) || seen[found.ID] {
			return nil
		}
		seen[found.ID] = true
		s.State = HasResult
		s.Steps = append(s.Steps, f.resultStep(ctx, arrival{item: found, record: bare(r)}))
		return nil
	}
	until := a.record.Time.Add(resultsSoon)
	for _, when := range []span{{from: a.record.Time, to: until}, {from: until}} {
		for _, about := range keysOf(key) {
			if err := f.scan(ctx, span{topic: event.ResultsTopic, key: about, from: when.from, to: when.to}, look); err != nil || len(seen) > 0 {
				return err
			}
		}
	}
	return nil
}

// resultStep is the step of a result: which worker, under which epoch, with which model.
func (f Finder) resultStep(ctx context.Context, a arrival) Step {
	step := stepAt(a.record, "looked at by a worker", "")
	step.Model, step.ModelVersion = a.item.Attrs.Model, a.item.Attrs.ModelVersion
	for _, h := range a.record.Headers {
		switch h.Key {
		case leaseHeader:
			step.Lease = string(h.Value)
		case workerHeader:
			step.Worker = string(h.Value)
		}
	}
	if step.Worker != "" || step.Lease == "" || f.Owners == nil {
		return step
	}
	owners, err := f.Owners(ctx)
	if err != nil {
		return step
	}
	for what, o := range owners { // who has the lease still is who had it then
		if strings.HasPrefix(what, event.WorkTopic+"-") && strconv.FormatInt(o.Epoch, 10) == step.Lease {
			step.Worker = o.Member
		}
	}
	return step
}

// addDeadLetters adds the dead letters of an item.
func (f Finder) addDeadLetters(ctx context.Context, s *History, a arrival) error {
	return f.scan(ctx, span{topic: event.DLQTopic, from: a.record.Time}, func(r kafka.Record) error {
		if h := headersOf(r); h.id != s.ID {
			return nil
		}
		s.addDead(arrival{record: bare(r), dead: describe(r, nil)})
		return nil
	})
}

func (s *History) addDead(a arrival) {
	if s.State == Received {
		s.State, s.Why = Dead, a.dead.Reason
	}
	by := a.dead.Connector
	if a.dead.Topic != "" {
		by += ", which had it from " + a.dead.Topic
	}
	s.Steps = append(s.Steps, stepAt(a.record, "dead letter", fmt.Sprintf("by %s: %s", by, a.dead.Reason)))
}

// addWaiting adds which worker has to look at an item that none has finished.
func (f Finder) addWaiting(ctx context.Context, s *History, a arrival) error {
	s.State = Waiting
	done, err := f.Log.Committed(ctx, f.Group, event.WorkTopic)
	if err != nil {
		return err
	}
	ahead := a.record.Offset - done[a.record.Partition]
	if ahead < 0 {
		s.State, s.Why = Received, "a worker has passed it, and its result is no more in Kafka"
		return nil
	}
	s.Why = fmt.Sprintf("%d items are before it in its partition", ahead)
	if f.Owners == nil {
		return nil
	}
	owners, err := f.Owners(ctx)
	if err != nil {
		s.Why += "; who owns it is not known: " + err.Error()
		return nil
	}
	o, ok := owners[fmt.Sprintf("%s-%d", event.WorkTopic, a.record.Partition)]
	if !ok {
		s.Why += ", which no worker owns now"
		return nil
	}
	s.Steps = append(s.Steps, Step{What: "waits for its worker", At: f.Now().UTC(), Worker: o.Member, Lease: strconv.FormatInt(o.Epoch, 10), Detail: s.Why})
	return nil
}

// stepAt is a step that stands in Kafka.
func stepAt(r kafka.Record, what, detail string) Step {
	return Step{What: what, At: r.Time.UTC(), Clock: kafkaClock, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Detail: detail}
}

// describe reads why a record is a dead letter; unreadable is what is wrong with its value.
func describe(r kafka.Record, unreadable error) *deadletter.Entry {
	l := deadletter.Describe(r)
	if l.Reason == "" && unreadable != nil {
		l.Reason = unreadable.Error()
	}
	return &l
}
