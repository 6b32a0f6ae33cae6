package deadletter

import (
	"strconv"
	"time"

	"cloudcanvas/shared/config"
)

// Limits bound what dead letters may take: of one device in an hour, and of all for how long.
type Limits struct {
	PerHour      int           `yaml:"per_hour" desc:"dead letters of one edge in an hour; beyond, they are counted and sampled" range:"0..1000000"`
	BytesPerHour int64         `yaml:"bytes_per_hour" desc:"bytes of dead letters of one edge in an hour" range:"0 or 1MiB..1TiB"`
	Keep         time.Duration `yaml:"keep" desc:"how long canvas.dlq keeps them" range:"0 or 1h..87600h"`
	KeepBytes    int64         `yaml:"keep_bytes" desc:"bytes that canvas.dlq keeps" range:"0 or 16MiB..1024TiB"`
	ObjectBytes  int64         `yaml:"object_bytes" desc:"bytes of dead letters in the object store; the oldest go first" range:"0 or 16MiB..1024TiB"`
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
	config.Limits(l.WithDefaults(), DefaultLimits(), add)
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
