package crashguard

import (
	"fmt"
	"path/filepath"
	"time"

	"cloudcanvas/shared/config"
)

// Config says when an input is given up, and what of it is kept.
type Config struct {
	Deaths          int           `yaml:"deaths" desc:"how often in a row the process may die of one input before the input is quarantined" range:"1..100"`
	QuarantineBytes int64         `yaml:"quarantine_bytes" desc:"bytes of quarantined inputs that are kept, the oldest go first; 0 keeps only what is known of them" range:"0.."`
	NoteBytes       int64         `yaml:"note_bytes" desc:"live frames up to this size are noted with their bytes" range:"0..64MiB"`
	Notes           string        `yaml:"notes" desc:"folder of the notes on inputs at work; one in memory spares a flash card" default:"in /dev/shm on a device, else inside folder"`
	Rest            time.Duration `yaml:"rest" desc:"how long a live source rests whose frames killed the process so often" range:"1s.."`

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
	config.Limits(c, DefaultConfig(), add)
	if c.Notes != "" && !filepath.IsAbs(c.Notes) {
		add("notes", fmt.Sprintf("%q is not an absolute path", c.Notes), "name a folder in memory, such as /run/canvas/attempts")
	}
}
