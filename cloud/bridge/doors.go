package bridge

import (
	"context"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// Intake is where messages come from. Run connects and hands on those of the edges of some slots,
// each edge's in their order, until ctx ends; then it leaves the broker, which keeps what was not
// acknowledged for the next Run. known are edges of these slots that were heard of before. take may
// be called by several at a time, and blocks while the bridge is full.
type Intake interface {
	Run(ctx context.Context, slots slots.Set, known []string, take func(mqtt.Message)) error
}

// Watched is an intake that can say why nothing comes in now, and whether it hears all that the broker is
// given. Both are asked while Run runs.
type Watched interface {
	Ready() error
	Hears() bool
}

// Log is Kafka. Append returns nil once all records are safe (acks=all), else a *kafka.AppendError
// that says what became of each.
type Log interface {
	Append(ctx context.Context, records ...kafka.Record) error
	Offsets(ctx context.Context, topic string) (map[int]kafka.OffsetRange, error)
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error
}

// Objects is the object store. Put returns once data is safe; it replaces what was there. Get's
// error is fs.ErrNotExist where there is nothing; Delete of nothing is no error; Keys lists what is there.
type Objects interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
	Keys(ctx context.Context, prefix string) ([]string, error)
}

// Teller publishes receipts. It is another MQTT client than the intake's, whose acknowledgements a
// full bridge would hold up.
type Teller interface {
	Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error
}
