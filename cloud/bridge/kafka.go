package bridge

import (
	"time"

	"cloudcanvas/shared/kafka"
)

// DialKafka makes the bridge's log. Its Append does not try again by itself: the bridge must look
// into the log first, and must not let a later batch overtake.
func DialKafka(o kafka.Options) (*kafka.Client, error) {
	o.Patience = time.Nanosecond
	return kafka.Dial(o)
}
