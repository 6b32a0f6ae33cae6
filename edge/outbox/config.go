package outbox

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"cloudcanvas/shared/config"
)

// Config bounds the buffer.
type Config struct {
	QuotaBytes   int64             `yaml:"quota_bytes" desc:"bytes that may wait" range:"1MiB.."`
	QuotaRows    int64             `yaml:"quota_rows" desc:"items that may wait; 2000000 take 400 MB of index on the disk" range:"100.."`
	BallastBytes int64             `yaml:"ballast_bytes" desc:"bytes held back on the disk for the day it is full; 0: none" range:"0 or 4MiB..1GiB"`
	Streams      map[string]Stream `yaml:"streams" desc:"bounds of one camera, scene source or sensor, by its name"`
}

// Stream bounds what waits of one stream; what is 0 is not bounded.
type Stream struct {
	QuotaBytes  int64         `yaml:"quota_bytes" desc:"bytes that may wait, up to those of the buffer; 0: no bound of its own" range:"0.."`
	QuotaRows   int64         `yaml:"quota_rows" desc:"items that may wait, up to those of the buffer; 0: no bound of its own" range:"0.."`
	ExpireAfter time.Duration `yaml:"expire_after" desc:"an item that still waits then is dropped; 0: never" range:"0s.."`
}

// DefaultConfig keeps up to 8 GiB.
func DefaultConfig() Config {
	return Config{QuotaBytes: 8 << 30, QuotaRows: 2_000_000, BallastBytes: 16 << 20}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
	for _, name := range slices.Sorted(maps.Keys(c.Streams)) {
		s, field := c.Streams[name], "streams."+name+"."
		if s.QuotaBytes < 0 || s.QuotaBytes > c.QuotaBytes {
			add(field+"quota_bytes", fmt.Sprintf("%d is not between 0 and quota_bytes", s.QuotaBytes), "0 is no bound of its own")
		}
		if s.QuotaRows < 0 || s.QuotaRows > c.QuotaRows {
			add(field+"quota_rows", fmt.Sprintf("%d is not between 0 and quota_rows", s.QuotaRows), "0 is no bound of its own")
		}
		if s.ExpireAfter < 0 {
			add(field+"expire_after", fmt.Sprintf("%s is negative", s.ExpireAfter), "such as 72h; 0 for never")
		}
	}
}
