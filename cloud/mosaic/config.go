package mosaic

import (
	"fmt"
	"time"

	"cloudcanvas/shared/config"
)

// Config is when products are made and where. The zero value of a field stands for its default.
type Config struct {
	WorkDir string `yaml:"work_dir" desc:"folder of unfinished masks and of what waits" default:"the system's temporary folder"`
	PerEdge bool   `yaml:"per_edge" desc:"every product goes under <edge>/<name>; else under <name>, and @<edge>/<name> where another edge has the name"`
	// OneEdge says that there is one edge only, whose products go to <name> whatever lies there.
	OneEdge bool `yaml:"-"`
	// Catalog says that a catalog.json and a collection.json of CollectionID lie beside the products' folders.
	Catalog       bool          `yaml:"-"`
	Settle        time.Duration `yaml:"settle" desc:"how long a complete record waits for what belongs to it on other topics; 0: 1s" range:"0s.."`
	Deadline      time.Duration `yaml:"deadline" desc:"nothing new for so long, and a scene or camera is published as incomplete; up to retention; 0: 10m" range:"0s.."`
	Linger        time.Duration `yaml:"linger" desc:"how long a complete record is kept for latecomers; 0: 1m" range:"0s.."`
	Retention     time.Duration `yaml:"retention" desc:"how long an incomplete record waits for the rest; 0: 24h" range:"0s.."`
	Roll          time.Duration `yaml:"roll" desc:"time after which a camera's record that has no end of its own is closed; 0: 24h" range:"0s.."`
	WriteLimit    time.Duration `yaml:"write_limit" desc:"how long making one product may take; then its scene or camera becomes a dead letter; 0: 1h" range:"0s.."`
	Snapshots     int           `yaml:"snapshots" desc:"annotated frames of one camera's record; 0: 64" range:"0..10000"`
	AnnotateScore float64       `yaml:"annotate_score" desc:"least score of a box that is drawn; 0: 0.3" range:"0..1"`
}

// CollectionID is the STAC collection of products that lie beside a catalog.
const CollectionID = "canvas-scenes"

// DefaultConfig suits links from fibre to satellite.
func DefaultConfig() Config {
	return Config{
		Settle:        time.Second,
		Deadline:      10 * time.Minute,
		Linger:        time.Minute,
		Retention:     24 * time.Hour,
		Roll:          24 * time.Hour,
		WriteLimit:    time.Hour,
		Snapshots:     64,
		AnnotateScore: 0.3,
	}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	for _, f := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&c.Settle, d.Settle}, {&c.Deadline, d.Deadline}, {&c.Linger, d.Linger}, {&c.Retention, d.Retention}, {&c.Roll, d.Roll}, {&c.WriteLimit, d.WriteLimit},
	} {
		if *f.value == 0 {
			*f.value = f.or
		}
	}
	if c.Snapshots == 0 {
		c.Snapshots = d.Snapshots
	}
	if c.AnnotateScore == 0 {
		c.AnnotateScore = d.AnnotateScore
	}
	return c
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
	if c.Retention > 0 && c.Deadline > c.Retention {
		add("deadline", fmt.Sprintf("is %v, beyond retention %v", c.Deadline, c.Retention), "publish incomplete scenes before they are given up")
	}
}
