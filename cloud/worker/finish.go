package worker

import (
	"context"
	"fmt"
	"time"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/trace"
)

// finish is the last stage, and its order is the promise: dead letters and results are durable
// before the offset moves. A log that is away is waited for as long as the lease lasts.
func (p *loop) finish(ctx context.Context, batch []*job) error {
	posting := time.Now()
	var deadLetters []queue.DeadLetter
	var found []event.Item
	outcomes := map[string]int{"result": 0}
	for _, j := range batch {
		if j.poison == nil {
			var items []event.Item
			err := p.shielded(func() (err error) {
				if j.route == p.Models.focus {
					items, err = blockResults(j)
				} else {
					items, err = results(j)
				}
				return err
			})
			if err == nil {
				for n := range items {
					if p.Trace.On() { // also where its edge gave it none
						items[n].Attrs.TraceParent = trace.Of(&j.entry.Item)
					}
				}
				found = append(found, items...)
				outcome := "result"
				if j.skipped {
					outcome = "skipped"
				}
				outcomes[outcome]++
				continue
			}
			j.poison = poison(stageTransform, "WrongOutput", err)
		}
		p.Log.Warn("an item becomes a dead letter", "id", j.entry.Item.ID, "subject", j.entry.Item.Subject,
			"partition", j.entry.Partition, "offset", j.entry.Offset, "reason", j.poison.Err)
		deadLetters = append(deadLetters, queue.DeadLetter{Entry: j.entry, Stage: j.poison.Stage, Class: j.poison.Class, Err: j.poison.Err})
	}
	if len(deadLetters) > 0 {
		if err := p.write(ctx, "writing dead letters", func() error { return p.Dead.Reject(ctx, deadLetters...) }); err != nil {
			return fmt.Errorf("writing %d dead letters: %w", len(deadLetters), err)
		}
		for _, j := range batch {
			if j.poison != nil {
				p.Attempts.Forget(attemptKey(&j.entry.Item)) // who puts it back wants it tried
			}
		}
	}
	if len(found) > 0 {
		if err := p.write(ctx, "writing results", func() error { return p.Results.Append(ctx, p.lease.Epoch(), found...) }); err != nil {
			return fmt.Errorf("writing %d results: %w", len(found), err)
		}
	}
	next := batch[len(batch)-1].entry.Offset + 1
	if err := p.write(ctx, "committing offsets", func() error { return p.Queue.Commit(ctx, event.WorkTopic, p.partition, next) }); err != nil {
		return fmt.Errorf("committing offset %d of partition %d: %w", next, p.partition, err)
	}
	releaseRows(batch)
	p.keepViews(batch)
	p.traceItems(batch, posting)
	outcomes["dead"] = len(deadLetters)
	for outcome, n := range outcomes {
		p.metrics.items.WithLabelValues(outcome).Add(float64(n))
	}
	for _, j := range batch {
		if j.late() {
			p.metrics.late.WithLabelValues(j.route.Name).Inc()
		}
	}
	return nil
}

// write retries something that only the owner of the partition may do. A process that was stopped
// for longer than its session learns from the clock that it is the owner no more.
func (p *loop) write(ctx context.Context, what string, do func() error) error {
	return p.retry(ctx, what, func() error {
		if p.held.Err() != nil {
			return context.Cause(p.held)
		}
		return do()
	})
}

// timings are when the stages of a job began and ended.
type timings struct{ decode, forward interval }

type interval struct{ from, to time.Time }

// traceItems makes spans of what was done with the items of a batch, once their offset is committed.
func (p *loop) traceItems(batch []*job, posting time.Time) {
	if !p.Trace.On() {
		return
	}
	now := time.Now()
	for _, j := range batch {
		in := &j.entry.Item
		if in.ID.IsZero() {
			continue // nothing could be read of it
		}
		about := []trace.Attr{{Key: "messaging.kafka.partition", Number: int64(j.entry.Partition)}, {Key: "messaging.kafka.offset", Number: j.entry.Offset},
			{Key: "canvas.lease", Number: int64(p.lease.Epoch())}}
		if j.model != nil {
			about = append(about, trace.Attr{Key: "canvas.model", Text: j.model.Name}, trace.Attr{Key: "canvas.model_version", Text: j.model.Needs.Version})
		}
		if j.poison != nil {
			about = append(about, trace.Attr{Key: trace.Failure, Text: j.poison.Error()})
		}
		parent := p.Trace.Item(in, trace.Worker, j.timings.decode.from, now, about...)
		for _, stage := range []struct {
			name string
			interval
		}{{trace.Decode, j.timings.decode}, {trace.Forward, j.timings.forward}, {trace.Post, interval{posting, now}}} {
			if !stage.from.IsZero() {
				p.Trace.Span(parent, stage.name, stage.from, stage.to)
			}
		}
	}
}
