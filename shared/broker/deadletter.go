package broker

import (
	"strconv"
	"strings"

	"cloudcanvas/shared/event"
)

// Headers by which Kafka Connect says why a record is a dead letter (KIP-298, DeadLetterQueueReporter).
// Tools that know them know ours.
const (
	DeadTopic     = "__connect.errors.topic" // where it came from: a Kafka topic, or an MQTT one
	DeadPartition = "__connect.errors.partition"
	DeadOffset    = "__connect.errors.offset"
	DeadConnector = "__connect.errors.connector.name"
	DeadTask      = "__connect.errors.task.id"
	DeadStage     = "__connect.errors.stage"
	DeadClass     = "__connect.errors.class.name"
	DeadException = "__connect.errors.exception.class.name"
	DeadReason    = "__connect.errors.exception.message"
)

// Stages of Kafka Connect's at which a record can turn out to be bad.
const (
	StageConsume   = "KAFKA_CONSUME"
	StageConvert   = "VALUE_CONVERTER"
	StageTransform = "TRANSFORMATION"
	StagePut       = "TASK_PUT"
)

// DeadLetter says where a record came from and why it is set aside.
type DeadLetter struct {
	Topic     string
	Partition int
	Offset    int64 // -1 where there is none
	Connector string
	Stage     string
	Class     string // what set it aside
	Exception string // the kind of fault
	Reason    string // in words; cut where it is long
}

// maxDeadReason bounds the reason: it may quote what came, and a letter must fit where its record did.
const maxDeadReason = 2 << 10

// Headers are Kafka Connect's for l. Key, value and headers of the record stay as they came.
func (l DeadLetter) Headers() []event.Header {
	head := func(name, value string) event.Header { return event.Header{Key: name, Value: []byte(value)} }
	reason := strings.ToValidUTF8(l.Reason, "�")
	if len(reason) > maxDeadReason {
		reason = strings.ToValidUTF8(reason[:maxDeadReason], "") + "…"
	}
	return []event.Header{
		head(DeadTopic, l.Topic), head(DeadPartition, strconv.Itoa(l.Partition)), head(DeadOffset, strconv.FormatInt(l.Offset, 10)),
		head(DeadConnector, l.Connector), head(DeadTask, strconv.Itoa(l.Partition)), head(DeadStage, l.Stage),
		head(DeadClass, l.Class), head(DeadException, l.Exception), head(DeadReason, reason),
	}
}
