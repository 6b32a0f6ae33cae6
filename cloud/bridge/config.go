package bridge

import (
	"fmt"
	"os"
	"path"
	"runtime/debug"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Config is how the bridge works. The zero value of a field stands for its default.
type Config struct {
	// ClientID names the bridge's persistent session with the MQTT broker. Bridges that stand in for
	// each other have the same one: whoever holds the lease takes the session over. Bridges that
	// share have one for each slot, ClientID-0 to ClientID-63.
	ClientID string `yaml:"client_id"`
	// Share lets several bridges carry the edges together, each those of its slots. Without it one
	// carries them all and the others stand by. All bridges of a cluster must have it alike.
	Share bool `yaml:"share"`
	// QueueMessages and QueueBytes bound what is in the bridge and not yet acknowledged.
	QueueMessages int   `yaml:"queue_messages"`
	QueueBytes    int64 `yaml:"queue_bytes"`
	// QueueShare is the part of the queue that one edge may hold while others are in it. What is beyond
	// is refused: the edge keeps it and sends it again.
	QueueShare float64 `yaml:"queue_share"`
	// StoreBytesPerDay bounds what one edge may put into the object store in a day (UTC). 0: no bound.
	StoreBytesPerDay int64 `yaml:"store_bytes_per_day"`
	// BatchMessages and BatchBytes bound one write to Kafka. There is no waiting for a batch to fill:
	// it takes what came while the one before was written.
	BatchMessages int   `yaml:"batch_messages"`
	BatchBytes    int64 `yaml:"batch_bytes"`
	// Edges are the names of the edges that are let in, with * and ? as in file names. What others
	// send goes to the DLQ. None: everyone whom the MQTT broker lets in.
	Edges []string `yaml:"edges"`
	// InlineBytes is the largest data that goes into a record; larger rests in the object store.
	InlineBytes int64 `yaml:"inline_bytes"`
	// PartsBytes bounds the parts of unfinished items that are held in memory beside the store.
	PartsBytes int64 `yaml:"parts_bytes"`
	// PartsEdgeBytes bounds the unfinished items of one edge in the object store, and PartsAge how long
	// they lie there after the last part came. What goes over it is given up, the oldest first; its edge
	// gets to know and sends it again.
	PartsEdgeBytes int64         `yaml:"parts_edge_bytes"`
	PartsAge       time.Duration `yaml:"parts_age"`
	// ItemBytes bounds an item that comes in parts, which is put together in memory.
	ItemBytes int64 `yaml:"item_bytes"`
	// ReceiptEvery is the least time between two receipts to one edge.
	ReceiptEvery time.Duration `yaml:"receipt_every"`
	// CheckpointEvery and CheckpointBytes (written since the last) say when a checkpoint is made.
	CheckpointEvery time.Duration `yaml:"checkpoint_every"`
	CheckpointBytes int64         `yaml:"checkpoint_bytes"`
	// LeaveAfter is how long Kafka or the object store may be away before the bridge leaves the MQTT
	// broker, which then queues for it.
	LeaveAfter time.Duration `yaml:"leave_after"`
	// DeadLetters bound what dead letters may take.
	DeadLetters deadletter.Limits `yaml:"dead_letters"`
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
	whole := func(field string, n, least, most int64, hint string) {
		if n < least || n > most {
			add(field, fmt.Sprintf("is %d, must be %d to %d", n, least, most), hint)
		}
	}
	whole("queue_messages", int64(c.QueueMessages), 1, 1<<20, "16384 suits most")
	whole("queue_bytes", c.QueueBytes, event.MaxEnvelope, 4<<30, "33554432 (32 MiB) suits most; it must hold the largest message")
	if c.QueueShare < 0.01 || c.QueueShare > 1 {
		add("queue_share", fmt.Sprintf("is %v, must be 0.01 to 1", c.QueueShare), "0.5 suits most; 1 lets one edge fill the queue")
	}
	whole("store_bytes_per_day", c.StoreBytesPerDay, 0, 1<<50, "0 is no bound; 10737418240 is 10 GiB a day")
	whole("batch_messages", int64(c.BatchMessages), 1, int64(max(c.QueueMessages, 1)), "4096 suits most; no more than queue_messages")
	whole("batch_bytes", c.BatchBytes, 64<<10, max(c.QueueBytes, 64<<10), "16777216 (16 MiB) suits most; no more than queue_bytes")
	whole("inline_bytes", c.InlineBytes, 1<<10, event.MaxInline, "524288 is the most that a record may carry")
	whole("parts_bytes", c.PartsBytes, 1<<20, 4<<30, "16777216 (16 MiB) suits most")
	whole("item_bytes", c.ItemBytes, 1<<20, 4<<30, "268435456 (256 MiB) suits most")
	whole("parts_edge_bytes", c.PartsEdgeBytes, c.ItemBytes, 1<<40, "2147483648 (2 GiB) suits most; no less than item_bytes")
	whole("checkpoint_bytes", c.CheckpointBytes, 1<<20, 64<<30, "268435456 (256 MiB) suits most")
	for n, pattern := range c.Edges {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			add(fmt.Sprintf("edges.%d", n), fmt.Sprintf("%q is no name or pattern", pattern), "write mast-7, or mast-* for all whose names begin so")
		}
	}
	lasts := func(field string, d, least, most time.Duration, hint string) {
		if d < least || d > most {
			add(field, fmt.Sprintf("is %v, must be %v to %v", d, least, most), hint)
		}
	}
	lasts("receipt_every", c.ReceiptEvery, time.Millisecond, time.Minute, "250ms suits most")
	lasts("checkpoint_every", c.CheckpointEvery, 10*time.Millisecond, time.Minute, "2s suits most")
	c.DeadLetters.Problems(func(field, message, hint string) { add("dead_letters."+field, message, hint) })
	lasts("parts_age", c.PartsAge, time.Minute, 365*24*time.Hour, "168h suits most; longer than a device is out of reach")
	lasts("leave_after", c.LeaveAfter, 10*time.Millisecond, time.Hour, "10s suits most; below the MQTT keep-alive")
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
