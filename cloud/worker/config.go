package worker

import (
	"fmt"
	"slices"
	"time"
)

// Config is how a worker works. The zero value of a field stands for its default.
type Config struct {
	// Models are the models for each want, best first: the first whose bands an image has is taken.
	Models []Choice `yaml:"models"`
	// Pipelines are several models in a row. They come before Models.
	Pipelines []Pipeline `yaml:"pipelines"`
	// Preload loads the first model for each want at the start.
	Preload bool `yaml:"preload"`
	// BatchItems and BatchAge close a batch: whichever comes first.
	BatchItems int           `yaml:"batch_items"`
	BatchAge   time.Duration `yaml:"batch_age"`
	// Prefetch bounds the items in hand of all partitions together: read, decoded or in inference.
	// A 256-pixel tile of six bands is 1.5 MiB when decoded.
	Prefetch int `yaml:"prefetch"`
	// Grace is how long the batch in hand may take when a partition is to be left.
	Grace time.Duration `yaml:"grace"`
	// Late is what is done with items past their deadline: LateDo or LateSkip. MaxAge is the deadline
	// of those that bring none of their own, counted from their time; 0: they have none.
	Late   string        `yaml:"late"`
	MaxAge time.Duration `yaml:"max_age"`
	// ObjectBytes bounds one object fetched by reference.
	ObjectBytes int64 `yaml:"object_bytes"`
	// ModelsMemoryBytes bounds what the loaded models are taken to need, see docs/models.md; those not
	// used for longest are unloaded. 0: no limit.
	ModelsMemoryBytes int64 `yaml:"models_memory_bytes"`
}

// Choice names a model for a want.
type Choice struct {
	Want  string `yaml:"want"` // what the edge asked for: segment, detect, classify
	Model string `yaml:"model"`
	// White is the reflectance that becomes 255 where a network for pictures looks at bands. Default 0.4;
	// 1 for scenes that are 8-bit pictures.
	White float64 `yaml:"white"`
	// Level is the processing level of scenes that the model is for, such as 2A; it goes before models
	// of any level there. Empty: any.
	Level string `yaml:"level"`
	// Optional leaves the choice out where there is no such model.
	Optional bool `yaml:"optional"`
}

// surface is the processing level of Sentinel-2 scenes of surface reflectance.
const surface = "2A"

// DefaultConfig segments scenes with the heavy six-band model, the four-band one where the short-wave
// infrared is missing, and a spectral rule where there is nothing but colour; scenes of level 2A with
// the models for surface reflectance.
func DefaultConfig() Config {
	return Config{
		Models: []Choice{
			{Want: "segment", Model: "ukis_csmask_6b_l1c"},
			{Want: "segment", Model: "ukis_csmask_4b_l1c"},
			{Want: "segment", Model: SpectralRGB},
			{Want: "segment", Model: "ukis_csmask_6b_l2a", Level: surface, Optional: true},
			{Want: "segment", Model: "ukis_csmask_4b_l2a", Level: surface, Optional: true},
		},
		Preload:     true,
		BatchItems:  8,
		BatchAge:    20 * time.Millisecond,
		Prefetch:    32,
		Grace:       4 * time.Second,
		Late:        LateDo,
		ObjectBytes: 256 << 20,
	}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	if len(c.Models) == 0 && len(c.Pipelines) == 0 {
		c.Models = d.Models
	}
	if c.BatchItems == 0 {
		c.BatchItems = d.BatchItems
	}
	if c.BatchAge == 0 {
		c.BatchAge = d.BatchAge
	}
	if c.Prefetch == 0 {
		c.Prefetch = d.Prefetch
	}
	if c.Grace == 0 {
		c.Grace = d.Grace
	}
	if c.Late == "" {
		c.Late = d.Late
	}
	if c.ObjectBytes == 0 {
		c.ObjectBytes = d.ObjectBytes
	}
	return c
}

// Answers says whether there is a model or a pipeline for a want.
func (c Config) Answers(want string) bool {
	return slices.ContainsFunc(c.Models, func(m Choice) bool { return m.Want == want }) ||
		slices.ContainsFunc(c.Pipelines, func(p Pipeline) bool { return p.Want == want })
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	for n, m := range c.Models {
		field := fmt.Sprintf("models.%d.", n)
		if m.Want == "" {
			add(field+"want", "is empty", "say what the model is for: segment, detect or classify")
		}
		if m.Model == "" {
			add(field+"model", "is empty", "name a model of the repository; `canvas-edge models ls` lists them")
		}
		if !(m.White >= 0 && m.White <= 10) {
			add(field+"white", fmt.Sprintf("is %v", m.White), "use a reflectance, 0.2 to 1")
		}
	}
	c.pipelineProblems(add)
	if c.BatchItems < 0 || c.BatchItems > 256 {
		add("batch_items", fmt.Sprintf("is %d", c.BatchItems), "use 1 to 256")
	}
	if c.BatchAge < 0 || c.BatchAge > 10*time.Second {
		add("batch_age", fmt.Sprintf("is %v", c.BatchAge), "use up to 10s; 20ms suits most")
	}
	if c.Prefetch < 0 || c.Prefetch > 4096 {
		add("prefetch", fmt.Sprintf("is %d", c.Prefetch), "use 1 to 4096 items")
	}
	if c.Prefetch > 0 && c.BatchItems > c.Prefetch {
		add("prefetch", fmt.Sprintf("is %d, below batch_items %d", c.Prefetch, c.BatchItems), "use at least twice batch_items, so that decoding and inference overlap")
	}
	if c.Grace < 0 || c.Grace >= 5*time.Second {
		add("grace", fmt.Sprintf("is %v", c.Grace), "use less than 5s: a worker leaves within five seconds")
	}
	if c.Late != "" && c.Late != LateDo && c.Late != LateSkip {
		add("late", fmt.Sprintf("is %q", c.Late), "use do, or skip: then late items get a result that says so")
	}
	if c.MaxAge < 0 {
		add("max_age", fmt.Sprintf("is %v", c.MaxAge), "use a positive time, or 0 for no limit")
	}
	if c.ModelsMemoryBytes < 0 {
		add("models_memory_bytes", fmt.Sprintf("is %d", c.ModelsMemoryBytes), "use a positive number of bytes, or 0 for no limit")
	}
	if c.ObjectBytes < 0 {
		add("object_bytes", fmt.Sprintf("is %d", c.ObjectBytes), "use a positive number of bytes")
	}
}
