package bridge

import (
	"context"
	"time"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// Intake is where messages come from. Run connects and hands on those of the edges of some slots,
// each edge's in their order, until ctx ends; then it leaves the broker, which keeps what was not
// acknowledged for the next Run. known are edges of these slots that have sent something before. take may
// be called by several at a time, and blocks while the bridge is full.
type Intake interface {
	Run(ctx context.Context, slots slots.Set, known []string, take func(mqtt.Message)) error
}

// Watched is an intake that knows why nothing comes in now, and whether it is subscribed to all that the
// broker is given. Both are asked while Run runs.
type Watched interface {
	Ready() error
	Subscribed() bool
}

// Log is Kafka. Append returns nil once all records are safe (acks=all), else a *kafka.AppendError
// that says what became of each.
type Log interface {
	Append(ctx context.Context, records ...kafka.Record) error
	Offsets(ctx context.Context, topic string) (map[int]kafka.OffsetRange, error)
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
}

// DialKafka makes the bridge's log. Its Append does not try again by itself: the bridge must look
// into the log first, and must not let a later batch overtake.
func DialKafka(o kafka.Options) (*kafka.Client, error) {
	o.Patience = time.Nanosecond
	return kafka.Dial(o)
}

// Objects is the object store. Put returns once data is safe; it replaces what was there. Get's
// error is fs.ErrNotExist where there is nothing; Delete of nothing is no error; Keys lists what is there.
type Objects interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
	Keys(ctx context.Context, prefix string) ([]string, error)
}

// Publisher sends receipts. It is another MQTT client than the intake's, whose acknowledgements a
// full bridge would hold up.
type Publisher interface {
	Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error
}
