package worker

import (
	"slices"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
)

// letter is the entry as it came, with the reason added.
func letter(e Entry, p *Poison) Letter {
	why := deadletter.Cause{
		Topic: event.WorkTopic, Partition: e.Partition, Offset: e.Offset, Connector: "canvas-worker",
		Stage: p.Stage, Class: "cloudcanvas/cloud/worker", Exception: p.Class, Reason: p.Err.Error(),
	}
	return Letter{Key: e.Key, Value: e.Value, Headers: append(slices.Clone(e.Headers), why.Headers()...)}
}
