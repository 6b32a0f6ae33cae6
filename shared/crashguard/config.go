package crashguard

import (
	"fmt"
	"path/filepath"
	"time"
)

// Config says when an input is given up, and what of it is kept.
type Config struct {
	Deaths          int           `yaml:"deaths"`           // of the process by one input, in a row; then it is quarantined
	QuarantineBytes int64         `yaml:"quarantine_bytes"` // of inputs that are kept; the oldest go first
	NoteBytes       int64         `yaml:"note_bytes"`       // a live frame is kept beside its note up to so many bytes
	Notes           string        `yaml:"notes"`            // folder of the notes; empty: in memory (/dev/shm), else inside the journal's
	Rest            time.Duration `yaml:"rest"`             // of a live source whose frames killed the process so often

	kernel func() kills // what it counts; nil: this machine's
}

func (c Config) kills() kills {
	if c.kernel != nil {
		return c.kernel()
	}
	return readKills()
}

// DefaultConfig gives an input two deaths, and keeps what was quarantined up to 256 MiB.
func DefaultConfig() Config {
	return Config{Deaths: 2, QuarantineBytes: 256 << 20, NoteBytes: 4 << 20, Rest: 10 * time.Minute}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	if c.Deaths < 1 || c.Deaths > 100 {
		add("deaths", fmt.Sprintf("%d is not between 1 and 100", c.Deaths), "2: an input that killed the process twice in a row is left out")
	}
	if c.QuarantineBytes < 0 {
		add("quarantine_bytes", "is negative", "268435456 is 256 MiB; 0 keeps no bytes, only what is known of them")
	}
	if c.NoteBytes < 0 || c.NoteBytes > 64<<20 {
		add("note_bytes", fmt.Sprintf("%d is not between 0 and 64 MiB", c.NoteBytes), "4194304 keeps frames up to 4 MiB")
	}
	if c.Rest < time.Second {
		add("rest", fmt.Sprintf("%s is less than a second", c.Rest), "10m: a camera whose frames kill the process is tried again after that")
	}
	if c.Notes != "" && !filepath.IsAbs(c.Notes) {
		add("notes", fmt.Sprintf("%q is not an absolute path", c.Notes), "name a folder in memory, such as /run/canvas/attempts")
	}
}
