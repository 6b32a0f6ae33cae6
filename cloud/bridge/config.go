package bridge

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// Config bounds what a bridge holds and says how Kafka's topics are made.
type Config struct {
	QueueMessages   int           `yaml:"queue_messages"` // taken from MQTT and not yet in hand
	QueueBytes      int64         `yaml:"queue_bytes"`
	BatchMessages   int           `yaml:"batch_messages"` // written to Kafka together
	BatchBytes      int           `yaml:"batch_bytes"`
	PartsBytes      int64         `yaml:"parts_bytes"`  // of large items not yet whole
	InlineBytes     int           `yaml:"inline_bytes"` // larger data rests in the object store
	ReceiptEvery    time.Duration `yaml:"receipt_every"`
	CheckpointEvery time.Duration `yaml:"checkpoint_every"`
	Partitions      int           `yaml:"partitions"` // of topics that are made
}

// DefaultConfig suits a bridge with 512 MiB of memory.
func DefaultConfig() Config {
	return Config{QueueMessages: 4096, QueueBytes: 64 << 20, BatchMessages: 1000, BatchBytes: 8 << 20, PartsBytes: 128 << 20,
		InlineBytes: 512 << 10, ReceiptEvery: 50 * time.Millisecond, CheckpointEvery: 5 * time.Second, Partitions: 8}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	for _, f := range []struct {
		name       string
		value      int64
		least, top int64
	}{
		{"queue_messages", int64(c.QueueMessages), 1, 1 << 20}, {"queue_bytes", c.QueueBytes, 1 << 20, 64 << 30},
		{"batch_messages", int64(c.BatchMessages), 1, 1 << 20}, {"batch_bytes", int64(c.BatchBytes), 1 << 10, 1 << 30},
		{"parts_bytes", c.PartsBytes, 1 << 20, 64 << 30}, {"inline_bytes", int64(c.InlineBytes), 1 << 10, 512 << 10},
		{"receipt_every", int64(c.ReceiptEvery), int64(time.Millisecond), int64(time.Minute)},
		{"checkpoint_every", int64(c.CheckpointEvery), int64(100 * time.Millisecond), int64(time.Hour)},
		{"partitions", int64(c.Partitions), 1, 10_000},
	} {
		if f.value < f.least || f.value > f.top {
			add(f.name, fmt.Sprintf("%d is not between %d and %d", f.value, f.least, f.top), "leave it out for the default")
		}
	}
}

// Topics are Kafka's topics as they should be.
func Topics(c Config) []broker.Topic {
	size := map[string]string{"max.message.bytes": "1048576"}
	compact := map[string]string{"max.message.bytes": "1048576", "cleanup.policy": "compact"}
	return []broker.Topic{
		{Name: event.EventsTopic, Partitions: c.Partitions, Config: size},
		{Name: event.WorkTopic, Partitions: c.Partitions, Config: size},
		{Name: event.ResultsTopic, Partitions: c.Partitions, Config: size},
		{Name: event.ProductsTopic, Partitions: 1, Config: compact},
		{Name: event.DLQTopic, Partitions: 1, Config: size},
		{Name: event.BridgeTopic, Partitions: 1, Config: compact},
	}
}

// metrics are what a bridge counts.
type metrics struct {
	items, duplicates, poison, bytes prometheus.Counter
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "canvas_bridge_" + name + "_total", Help: help})
	}
	m := &metrics{items: counter("items", "Items written to Kafka."), duplicates: counter("duplicates", "Items that had come before."),
		poison: counter("poison", "Messages in the dead letters."), bytes: counter("bytes", "Data of items written to Kafka, in bytes.")}
	if to == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.items, m.duplicates, m.poison, m.bytes} {
		if err := to.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
