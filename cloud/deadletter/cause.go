package deadletter

import (
	"strconv"
	"strings"

	"cloudcanvas/shared/event"
)

// Headers by which Kafka Connect says why a record is a dead letter (KIP-298, DeadLetterQueueReporter).
// Tools that know them know ours.
const (
	HeadTopic     = connect + "topic" // where it came from: a Kafka topic, or an MQTT one
	HeadPartition = connect + "partition"
	HeadOffset    = connect + "offset"
	HeadConnector = connect + "connector.name"
	HeadTask      = connect + "task.id"
	HeadStage     = connect + "stage"
	HeadClass     = connect + "class.name"
	HeadException = connect + "exception.class.name"
	HeadReason    = connect + "exception.message"

	connect = "__connect.errors."
)

// Headers of this program's own.
const (
	// HeadQuarantine names the object with the bytes of a dead letter, where they are too many for a record.
	HeadQuarantine = "quarantine"
	// HeadQuarantineBytes is how many they are.
	HeadQuarantineBytes = "quarantine_bytes"
	// HeadSummary marks a dead letter that stands for many that were counted and not kept.
	HeadSummary = "canvas_summary"
	// HeadReplay is added to a record that was put back: which dead letter it was, when, and by whom.
	HeadReplay = "canvas_replay"
)

// Stages of Kafka Connect's at which a record can turn out to be bad.
const (
	StageConsume   = "KAFKA_CONSUME"
	StageConvert   = "VALUE_CONVERTER"
	StageTransform = "TRANSFORMATION"
	StagePut       = "TASK_PUT"
)

// Cause says where a record came from and why it is a dead letter.
type Cause struct {
	Topic     string
	Partition int
	Offset    int64 // -1 where there is none
	Connector string
	Stage     string
	Class     string // what wrote the dead letter
	Exception string // the kind of fault
	Reason    string // in words; cut where it is long
}

// maxReason bounds the reason: it may quote what came, and a dead letter must fit where its record did.
const maxReason = 2 << 10

// Headers are Kafka Connect's for c. Key, value and headers of the record stay as they came.
func (c Cause) Headers() []event.Header {
	head := func(name, value string) event.Header { return event.Header{Key: name, Value: []byte(value)} }
	reason := strings.ToValidUTF8(c.Reason, "�")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "") + "…"
	}
	return []event.Header{
		head(HeadTopic, c.Topic), head(HeadPartition, strconv.Itoa(c.Partition)), head(HeadOffset, strconv.FormatInt(c.Offset, 10)),
		head(HeadConnector, c.Connector), head(HeadTask, strconv.Itoa(c.Partition)), head(HeadStage, c.Stage),
		head(HeadClass, c.Class), head(HeadException, c.Exception), head(HeadReason, reason),
	}
}

// Header is the last value of a header, whatever the case of its name.
func Header(headers []event.Header, name string) (value string) {
	for _, h := range headers {
		if strings.EqualFold(h.Key, name) {
			value = string(h.Value)
		}
	}
	return value
}

// bare are a dead letter's headers without those that say why it is one.
func bare(headers []event.Header) (own []event.Header) {
	for _, h := range headers {
		name := strings.ToLower(h.Key)
		if !strings.HasPrefix(name, connect) && name != HeadQuarantine && name != HeadQuarantineBytes && name != HeadSummary {
			own = append(own, h)
		}
	}
	return own
}
