package deadletter

import (
	"fmt"
	"strconv"
	"time"
)

// Limits bound what dead letters may take: of one device in an hour, and of all for how long.
type Limits struct {
	// PerHour and BytesPerHour bound the dead letters that a bridge writes of one edge in an hour.
	// Beyond, they are counted, every so often one is kept, and one letter tells of the others.
	PerHour      int   `yaml:"per_hour"`
	BytesPerHour int64 `yaml:"bytes_per_hour"`
	// Keep and KeepBytes are Kafka's retention of canvas.dlq, by age and by size.
	Keep      time.Duration `yaml:"keep"`
	KeepBytes int64         `yaml:"keep_bytes"`
	// ObjectBytes bounds the bytes of dead letters that rest in the object store; the oldest go first.
	ObjectBytes int64 `yaml:"object_bytes"`
}

// DefaultLimits keep a month, 2 GiB in Kafka and 2 GiB in the object store.
func DefaultLimits() Limits {
	return Limits{PerHour: 200, BytesPerHour: 64 << 20, Keep: 30 * 24 * time.Hour, KeepBytes: 2 << 30, ObjectBytes: 2 << 30}
}

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ value, other *int64 }{{&l.BytesPerHour, &d.BytesPerHour}, {&l.KeepBytes, &d.KeepBytes}, {&l.ObjectBytes, &d.ObjectBytes}} {
		if *f.value == 0 {
			*f.value = *f.other
		}
	}
	if l.PerHour == 0 {
		l.PerHour = d.PerHour
	}
	if l.Keep == 0 {
		l.Keep = d.Keep
	}
	return l
}

// Problems lists every mistake in l.
func (l Limits) Problems(add func(field, message, hint string)) {
	l = l.WithDefaults()
	whole := func(field string, n, least, most int64, hint string) {
		if n < least || n > most {
			add(field, fmt.Sprintf("is %d, must be %d to %d", n, least, most), hint)
		}
	}
	whole("per_hour", int64(l.PerHour), 1, 1_000_000, "200 suits most")
	whole("bytes_per_hour", l.BytesPerHour, 1<<20, 1<<40, "67108864 (64 MiB) suits most")
	whole("keep_bytes", l.KeepBytes, 16<<20, 1<<50, "2147483648 (2 GiB) suits most")
	whole("object_bytes", l.ObjectBytes, 16<<20, 1<<50, "2147483648 (2 GiB) suits most")
	if l.Keep < time.Hour || l.Keep > 10*365*24*time.Hour {
		add("keep", fmt.Sprintf("is %v, must be 1h to ten years", l.Keep), "720h (30 days) suits most")
	}
}

// TopicConfig is what Kafka must know of canvas.dlq.
func (l Limits) TopicConfig() map[string]string {
	l = l.WithDefaults()
	// Segments are what Kafka deletes: they must be small beside the bound, and rolled in time.
	return map[string]string{
		"cleanup.policy": "delete", "retention.ms": strconv.FormatInt(l.Keep.Milliseconds(), 10), "retention.bytes": strconv.FormatInt(l.KeepBytes, 10),
		"segment.bytes": strconv.FormatInt(max(l.KeepBytes/16, 1<<20), 10), "segment.ms": strconv.FormatInt(max(l.Keep/8, 10*time.Minute).Milliseconds(), 10),
	}
}
