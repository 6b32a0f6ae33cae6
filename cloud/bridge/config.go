package bridge

import (
	"fmt"
	"os"
	"path"
	"runtime/debug"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Config is how the bridge works. The zero value of a field stands for its default.
type Config struct {
	ClientID         string            `yaml:"client_id" desc:"MQTT client id, the same for all bridges; those that share add -<slot>"`
	Share            bool              `yaml:"share" desc:"several bridges carry the edges together; without it one carries all and the others stand by. All bridges must have it alike"`
	QueueMessages    int               `yaml:"queue_messages" desc:"messages in the bridge that are not acknowledged yet" range:"0..1048576"`
	QueueBytes       int64             `yaml:"queue_bytes" desc:"bytes of those messages; at least the largest message" range:"0 or 4MiB..4GiB"`
	QueueShare       float64           `yaml:"queue_share" desc:"the part of the queue that one edge may hold while others are in it; what is beyond is refused and comes again" range:"0 or 0.01..1"`
	StoreBytesPerDay int64             `yaml:"store_bytes_per_day" desc:"bytes that one edge may put into the object store in a day (UTC); 0: no bound" range:"0..1024TiB"`
	BatchMessages    int               `yaml:"batch_messages" desc:"messages in one write to Kafka, up to queue_messages; a write does not wait to fill"`
	BatchBytes       int64             `yaml:"batch_bytes" desc:"bytes of one write to Kafka, 64 KiB to queue_bytes"`
	Edges            []string          `yaml:"edges" desc:"names or patterns (mast-*) of the edges that are let in; what others send becomes dead letters" default:"everyone whom the MQTT broker lets in"`
	InlineBytes      int64             `yaml:"inline_bytes" desc:"larger data goes to the object store" range:"0 or 1KiB..512KiB"`
	PartsBytes       int64             `yaml:"parts_bytes" desc:"bytes of parts held in memory beside the store" range:"0 or 1MiB..4GiB"`
	PartsEdgeBytes   int64             `yaml:"parts_edge_bytes" desc:"bytes of unfinished items of one edge in the object store, item_bytes to 1 TiB; beyond, the oldest is given up and its edge sends it again"`
	PartsAge         time.Duration     `yaml:"parts_age" desc:"how long unfinished items lie there after their last part" range:"0 or 1m..8760h"`
	ItemBytes        int64             `yaml:"item_bytes" desc:"bytes of the largest item, which is put together in memory" range:"0 or 1MiB..4GiB"`
	ReceiptEvery     time.Duration     `yaml:"receipt_every" desc:"least time between two receipts to one edge" range:"0 or 1ms..1m"`
	CheckpointEvery  time.Duration     `yaml:"checkpoint_every" desc:"time between two checkpoints of what was seen" range:"0 or 10ms..1m"`
	CheckpointBytes  int64             `yaml:"checkpoint_bytes" desc:"bytes written since the last checkpoint that make the next one" range:"0 or 1MiB..64GiB"`
	LeaveAfter       time.Duration     `yaml:"leave_after" desc:"how long Kafka or the object store may be away before the bridge leaves the MQTT broker, which then queues for it" range:"0 or 10ms..1h"`
	DeadLetters      deadletter.Limits `yaml:"dead_letters" desc:"what dead letters may take"`
}

// DefaultConfig suits one broker with hundreds of edges, within 128 MiB.
func DefaultConfig() Config {
	return Config{
		ClientID:        "canvas-bridge",
		QueueMessages:   16384,
		QueueBytes:      32 << 20,
		QueueShare:      0.5,
		BatchMessages:   4096,
		BatchBytes:      16 << 20,
		InlineBytes:     event.MaxInline,
		PartsBytes:      16 << 20,
		PartsEdgeBytes:  2 << 30,
		PartsAge:        7 * 24 * time.Hour,
		ItemBytes:       256 << 20,
		ReceiptEvery:    250 * time.Millisecond,
		CheckpointEvery: 2 * time.Second,
		CheckpointBytes: 256 << 20,
		LeaveAfter:      10 * time.Second,
		DeadLetters:     deadletter.DefaultLimits(),
	}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	orDefault(&c.ClientID, d.ClientID)
	orDefault(&c.QueueMessages, d.QueueMessages)
	orDefault(&c.QueueBytes, d.QueueBytes)
	orDefault(&c.QueueShare, d.QueueShare)
	orDefault(&c.BatchMessages, d.BatchMessages)
	orDefault(&c.BatchBytes, d.BatchBytes)
	orDefault(&c.InlineBytes, d.InlineBytes)
	orDefault(&c.PartsBytes, d.PartsBytes)
	orDefault(&c.PartsEdgeBytes, d.PartsEdgeBytes)
	orDefault(&c.PartsAge, d.PartsAge)
	orDefault(&c.ItemBytes, d.ItemBytes)
	orDefault(&c.ReceiptEvery, d.ReceiptEvery)
	orDefault(&c.CheckpointEvery, d.CheckpointEvery)
	orDefault(&c.CheckpointBytes, d.CheckpointBytes)
	orDefault(&c.LeaveAfter, d.LeaveAfter)
	c.DeadLetters = c.DeadLetters.WithDefaults()
	return c
}

// ItemLimit is the largest item.
func (c Config) ItemLimit() int64 { return c.withDefaults().ItemBytes }

// fixedMemory is what a bridge needs beyond what is bounded in bytes: code at work, what is known of
// ten thousand edges, 12 MB of ids of the last items, kafka-go's and paho's buffers for what is under way,
// and what the collector lets lie.
const fixedMemory = 60 << 20

// gcPercent lets garbage grow to so many percent of what lives, as far as the memory limit has room:
// messages live for milliseconds, and collecting seldom costs least.
const gcPercent = 400

// BoundMemory sets up Go's runtime in a process that is a bridge and nothing else: with a limit, below
// which it collects seldom. GOMEMLIMIT and GOGC in the environment overrule it.
func (c Config) BoundMemory() {
	c = c.withDefaults()
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(c.QueueBytes + c.PartsBytes + fixedMemory)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

func orDefault[T comparable](value *T, d T) {
	var zero T
	if *value == zero {
		*value = d
	}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	c = c.withDefaults()
	if err := coord.CheckName(c.ClientID); err != nil {
		add("client_id", err.Error(), "give the bridge a name such as canvas-bridge")
	}
	config.Limits(c, DefaultConfig(), add)
	whole := func(field string, n, least, most int64, hint string) {
		if n < least || n > most {
			add(field, fmt.Sprintf("is %d, must be %d to %d", n, least, most), hint)
		}
	}
	whole("batch_messages", int64(c.BatchMessages), 1, int64(max(c.QueueMessages, 1)), "4096 suits most; no more than queue_messages")
	whole("batch_bytes", c.BatchBytes, 64<<10, max(c.QueueBytes, 64<<10), "16777216 (16 MiB) suits most; no more than queue_bytes")
	whole("parts_edge_bytes", c.PartsEdgeBytes, c.ItemBytes, 1<<40, "2147483648 (2 GiB) suits most; no less than item_bytes")
	for n, pattern := range c.Edges {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			add(fmt.Sprintf("edges.%d", n), fmt.Sprintf("%q is no name or pattern", pattern), "write mast-7, or mast-* for all whose names begin so")
		}
	}
	c.DeadLetters.Problems(func(field, message, hint string) { add("dead_letters."+field, message, hint) })
}

// maxRecord is the largest batch that a topic takes: 1 MiB, above what the client ever sends in one.
const maxRecord = "1048576"

// Topics are the Kafka topics that the bridge needs. partitions is that of the work topic, which
// bounds the number of workers; the events of one edge stay in one partition.
func Topics(partitions, replicas int) []kafka.Topic {
	// Said outright, as the cluster's own default may be lower.
	data := func() map[string]string { return map[string]string{"max.message.bytes": maxRecord} }
	compacted := data()
	compacted["cleanup.policy"] = "compact"
	return []kafka.Topic{
		{Name: event.EventsTopic, Partitions: partitions, Replicas: replicas, Config: data()},
		{Name: event.WorkTopic, Partitions: partitions, Replicas: replicas, Config: data()},
		{Name: event.ResultsTopic, Partitions: partitions, Replicas: replicas, Config: data()},
		{Name: event.DLQTopic, Partitions: 1, Replicas: replicas, Config: data()},
		{Name: event.BridgeTopic, Partitions: 1, Replicas: replicas, Config: compacted},
	}
}

// dataTopics are where items end up, and so what recovery reads.
var dataTopics = [...]string{event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.DLQTopic}
