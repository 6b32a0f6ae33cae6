package worker

import (
	"time"

	"cloudcanvas/shared/trace"
)

// times are when the stages of a job began and ended.
type times struct{ decode, forward spell }

type spell struct{ from, to time.Time }

// tell tells of what was done with the items of a batch, once their offset is committed.
func (p *loop) tell(batch []*job, posting time.Time) {
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
		parent := p.Trace.Item(in, trace.Worker, j.times.decode.from, now, about...)
		for _, stage := range []struct {
			name string
			spell
		}{{trace.Decode, j.times.decode}, {trace.Forward, j.times.forward}, {trace.Post, spell{posting, now}}} {
			if !stage.from.IsZero() {
				p.Trace.Span(parent, stage.name, stage.from, stage.to)
			}
		}
	}
}
