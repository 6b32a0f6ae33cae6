package outbox

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Config bounds the buffer.
type Config struct {
	QuotaBytes   int64             `yaml:"quota_bytes"`   // of data that waits
	QuotaRows    int64             `yaml:"quota_rows"`    // items that wait
	BallastBytes int64             `yaml:"ballast_bytes"` // held back on the disk for the day it is full; 0: none
	Streams      map[string]Stream `yaml:"streams"`       // bounds of a camera, a scene source or a sensor, by its name
}

// Stream bounds what waits of one stream; what is 0 is not bounded.
type Stream struct {
	QuotaBytes  int64         `yaml:"quota_bytes"`
	QuotaRows   int64         `yaml:"quota_rows"`
	ExpireAfter time.Duration `yaml:"expire_after"` // dropped when it still waits then
}

// DefaultConfig keeps up to 8 GiB.
func DefaultConfig() Config {
	return Config{QuotaBytes: 8 << 30, QuotaRows: 2_000_000, BallastBytes: 16 << 20}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	if c.QuotaBytes < 1<<20 {
		add("quota_bytes", fmt.Sprintf("%d is less than a megabyte", c.QuotaBytes), "give what the disk can spare: 8589934592 is 8 GiB")
	}
	if c.QuotaRows < 100 {
		add("quota_rows", fmt.Sprintf("%d is less than 100", c.QuotaRows), "2000000 is 400 MB of index on the disk")
	}
	if c.BallastBytes != 0 && (c.BallastBytes < 4<<20 || c.BallastBytes > 1<<30) {
		add("ballast_bytes", fmt.Sprintf("%d is not between 4 MiB and 1 GiB", c.BallastBytes), "16777216 is 16 MiB; 0 for none")
	}
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
