package bridge

import (
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"cloudcanvas/shared/broker"
)

// DialKafka makes the bridge's log. Its Append does not try again by itself: the bridge must look
// into the log first, and must not let a later batch overtake.
func DialKafka(o broker.KafkaOptions) (*broker.Kafka, error) {
	o.Patience = time.Nanosecond
	return broker.DialKafka(o)
}

// recordAtFault says that Kafka refuses a record for its own sake: no other time will do.
func recordAtFault(err error) bool {
	if errors.Is(err, broker.ErrRecordTooLarge) {
		return true
	}
	var code kafka.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidMessage, kafka.InvalidTimestamp:
		return true
	}
	return false
}
