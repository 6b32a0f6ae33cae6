package decisions

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// Follow keeps what was decided up to date until ctx ends, after the audit of an earlier program was
// taken over.
func (d *Decisions) Follow(ctx context.Context) error {
	if d.o.Actions.Group == nil {
		return nil
	}
	adopted := make(chan struct{})
	go func() {
		defer close(adopted)
		retry.Task{First: 5 * time.Second, Most: 5 * time.Second, Tell: func(err error) bool {
			d.o.Logger.Warn("the console could not copy the audit's decisions about dead letters to the coordinator and tries again", telemetry.Err, err)
			return true
		}}.Do(ctx, func() error { return d.adopt(ctx) })
	}()
	defer func() { <-adopted }()
	books := d.watch(ctx, deadletter.DecisionsName)
	blocked := d.watch(ctx, blocklist.Name)
	for {
		select {
		case value := <-books:
			if made, err := deadletter.ParseDecisions(value); err == nil {
				d.made.Store(&made)
			} else {
				d.o.Logger.Warn("the console can't read what was decided about dead letters", telemetry.Err, err)
			}
		case value := <-blocked:
			if list, err := blocklist.Parse(value); err == nil {
				d.blocked.Store(&list)
			}
		case <-ctx.Done():
			return nil
		}
		d.o.Index.Notices.Add(index.Notice{What: index.AboutDeadLetter})
	}
}

// watch gives the values of a document until ctx ends.
func (d *Decisions) watch(ctx context.Context, name string) <-chan []byte {
	out := make(chan []byte)
	go func() {
		for ctx.Err() == nil {
			values, err := d.o.Actions.Group.Document(name).Watch(ctx)
			if err == nil {
				for v := range values {
					select {
					case out <- v:
					case <-ctx.Done():
						return
					}
				}
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}()
	return out
}

// adopt takes what the audit of an earlier program says about dead letters into the coordinator.
func (d *Decisions) adopt(ctx context.Context) error {
	old := map[deadletter.Place]deadletter.Decision{}
	heard := map[deadletter.Place]time.Time{}
	for _, act := range d.o.Audit.LastOf(Replay, Discard) {
		if p, at, ok := placeNamed(act.What); ok {
			decision := deadletter.Decision{Action: act.Action, By: act.Who, At: act.Time.UTC()}
			if decision.At.Before(at) { // by another clock than the record's
				decision.At = at.UTC()
			}
			old[p], heard[p] = decision, at
		}
	}
	if len(old) == 0 {
		return nil
	}
	made, err := deadletter.ReadDecisions(ctx, d.o.Actions.Group.Document(deadletter.DecisionsName))
	if err != nil {
		return err
	}
	for p := range maps.Clone(old) {
		if made.Of(p, heard[p]) != nil {
			delete(old, p)
			continue
		}
		same := false
		ranges, err := d.o.Log.Offsets(ctx, event.DLQTopic)
		if err != nil {
			return err
		}
		if r := ranges[p.Partition]; p.Offset >= r.First && p.Offset < r.End {
			err = d.o.Log.Scan(ctx, event.DLQTopic, p.Partition, p.Offset, p.Offset+1, func(r kafka.Record) error {
				same = r.Time.UnixMilli() == heard[p].UnixMilli()
				return nil
			})
		}
		if err != nil {
			return err
		}
		if !same { // Kafka has deleted it, or this is another Kafka
			delete(old, p)
		}
	}
	return d.o.Actions.Adopt(ctx, old)
}

// placeNamed reads what nameOf has written.
func placeNamed(name string) (p deadletter.Place, heard time.Time, ok bool) {
	var at string
	if n, err := fmt.Sscanf(name, nameFormat, &p.Partition, &p.Offset, &at); err != nil || n != 3 {
		return p, heard, false
	}
	heard, err := time.Parse(time.RFC3339Nano, at)
	return p, heard, err == nil && p.Partition >= 0 && p.Offset >= 0 && !strings.Contains(at, " ")
}
