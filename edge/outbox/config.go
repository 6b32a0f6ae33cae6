package outbox

import "fmt"

// Config bounds the buffer.
type Config struct {
	QuotaBytes int64 `yaml:"quota_bytes"` // of data that waits
	QuotaRows  int64 `yaml:"quota_rows"`  // items that wait
}

// DefaultConfig keeps up to 8 GiB.
func DefaultConfig() Config {
	return Config{QuotaBytes: 8 << 30, QuotaRows: 2_000_000}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	if c.QuotaBytes < 1<<20 {
		add("quota_bytes", fmt.Sprintf("%d is less than a megabyte", c.QuotaBytes), "give what the disk can spare: 8589934592 is 8 GiB")
	}
	if c.QuotaRows < 100 {
		add("quota_rows", fmt.Sprintf("%d is less than 100", c.QuotaRows), "2000000 takes about 200 MB of memory")
	}
}
