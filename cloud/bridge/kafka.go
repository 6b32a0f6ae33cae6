package bridge

import (
	"errors"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"cloudcanvas/shared/kafka"
)

// DialKafka makes the bridge's log. Its Append does not try again by itself: the bridge must look
// into the log first, and must not let a later batch overtake.
func DialKafka(o kafka.Options) (*kafka.Client, error) {
	o.Patience = time.Nanosecond
	return kafka.Dial(o)
}

// recordAtFault says that Kafka refuses a record for its own sake: no other time will do.
func recordAtFault(err error) bool {
	if errors.Is(err, kafka.ErrRecordTooLarge) {
		return true
	}
	var code kafkago.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge, kafkago.InvalidRecord, kafkago.InvalidMessage, kafkago.InvalidTimestamp:
		return true
	}
	return false
}
