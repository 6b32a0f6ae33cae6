package worker

import (
	"slices"
	"strconv"

	"cloudcanvas/shared/event"
)

// connectPrefix begins the headers by which Kafka Connect says why a record is a dead letter:
// apache/kafka, connect/runtime, errors/DeadLetterQueueReporter. Tools that know them know ours.
const connectPrefix = "__connect.errors."

// maxReason bounds the reason: a letter must fit where its entry did.
const maxReason = 4 << 10

// letter is the entry as it came, with the reason added.
func letter(e Entry, p *Poison) Letter {
	l := Letter{Key: e.Key, Value: e.Value, Headers: slices.Clone(e.Headers)}
	add := func(name, value string) {
		l.Headers = append(l.Headers, event.Header{Key: connectPrefix + name, Value: []byte(value)})
	}
	add("topic", event.WorkTopic)
	add("partition", strconv.Itoa(e.Partition))
	add("offset", strconv.FormatInt(e.Offset, 10))
	add("connector.name", "canvas-worker")
	add("task.id", strconv.Itoa(e.Partition))
	add("stage", p.Stage)
	add("class.name", "cloudcanvas/cloud/worker")
	add("exception.class.name", p.Class)
	message := p.Err.Error()
	add("exception.message", message[:min(len(message), maxReason)])
	return l
}
