package mosaic

import (
	"fmt"
	"time"
)

// Config is when products are made and where. The zero value of a field stands for its default.
type Config struct {
	// WorkDir holds what is not finished yet: masks and scratch files. Empty: the system's temporary folder.
	WorkDir string `yaml:"work_dir"`
	// PerEdge puts every product under <edge>/<name>. Without it one goes to <name>, and to @<edge>/<name>
	// where another edge's product of that name is there already.
	PerEdge bool `yaml:"per_edge"`
	// OneEdge says that there is one edge only, whose products go to <name> whatever lies there.
	OneEdge bool `yaml:"-"`
	// Catalog says that a catalog.json and a collection.json of CollectionID lie beside the products' folders.
	Catalog bool `yaml:"-"`
	// Settle is how long a record that has all it needs waits for what belongs to it on other topics.
	Settle time.Duration `yaml:"settle"`
	// Deadline: nothing new for so long, and a scene or camera is published as incomplete.
	Deadline time.Duration `yaml:"deadline"`
	// Linger is how long a complete record is kept for latecomers.
	Linger time.Duration `yaml:"linger"`
	// Retention is how long an incomplete record waits for the rest.
	Retention time.Duration `yaml:"retention"`
	// Roll closes a camera's record that has no end of its own.
	Roll time.Duration `yaml:"roll"`
	// WriteLimit is how long the product of one scene or camera may take to be made. One that takes longer
	// becomes a dead letter; others go on meanwhile.
	WriteLimit time.Duration `yaml:"write_limit"`
	// Snapshots bounds the annotated frames of one camera's record.
	Snapshots int `yaml:"snapshots"`
	// AnnotateScore is the least score of a box that is drawn, 0 … 1.
	AnnotateScore float64 `yaml:"annotate_score"`
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
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"settle", c.Settle}, {"deadline", c.Deadline}, {"linger", c.Linger}, {"retention", c.Retention}, {"roll", c.Roll}, {"write_limit", c.WriteLimit},
	} {
		if f.value < 0 {
			add(f.name, fmt.Sprintf("is %v", f.value), "use a positive time, or leave it out")
		}
	}
	if c.Retention > 0 && c.Deadline > c.Retention {
		add("deadline", fmt.Sprintf("is %v, beyond retention %v", c.Deadline, c.Retention), "publish incomplete scenes before they are given up")
	}
	if c.Snapshots < 0 || c.Snapshots > 10_000 {
		add("snapshots", fmt.Sprintf("is %d", c.Snapshots), "use 1 to 10000 frames")
	}
	if c.AnnotateScore < 0 || c.AnnotateScore > 1 {
		add("annotate_score", fmt.Sprintf("is %g", c.AnnotateScore), "use 0 to 1")
	}
}
