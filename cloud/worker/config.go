package worker

import (
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/sar"
)

// Config is how a worker works. The zero value of a field stands for its default.
type Config struct {
	Models            []Choice      `yaml:"models" desc:"what is done for each want, best first: the first whose bands an image has is taken"`
	Pipelines         []Pipeline    `yaml:"pipelines" desc:"several models in a row, which go before models: pipelines.md"`
	Preload           bool          `yaml:"preload" desc:"load the models of pipelines and the first for each want at the start"`
	BatchItems        int           `yaml:"batch_items" desc:"items in one batch; 0: 8" range:"0..256"`
	BatchAge          time.Duration `yaml:"batch_age" desc:"age of its first item at which a batch is closed; 0: 20ms" range:"0s..10s"`
	Prefetch          int           `yaml:"prefetch" desc:"items at work, of all partitions together, at least batch_items; 0: 32" range:"0..4096"`
	Grace             time.Duration `yaml:"grace" desc:"how long the batch at work may take when the process stops, below 5s; 0: 4s"`
	Focus             string        `yaml:"focus" desc:"where radar echoes are focused: gpu refuses to start without one, auto takes the CPU then: sar.md#on-a-gpu" enum:"cpu, gpu, auto"`
	Late              string        `yaml:"late" desc:"what is done with items past their deadline; skip gives a result that says so" enum:"do, skip"`
	MaxAge            time.Duration `yaml:"max_age" desc:"how old an item without a deadline may be; 0: any age" range:"0s.."`
	Land              string        `yaml:"land" desc:"a GeoJSON file of land, in longitude and latitude: what lies within is no ship of a radar's image. It needs an orbit; statistics tell land without"`
	ObjectBytes       int64         `yaml:"object_bytes" desc:"bytes of one object that is fetched from the store; 0: 256 MiB" range:"0.."`
	ModelsMemoryBytes int64         `yaml:"models_memory_bytes" desc:"bytes that loaded models are taken to need at most; those not used for longest make room. 0: no limit: pipelines.md#memory-of-models" range:"0.."`
}

// Choice names a model for a want.
type Choice struct {
	Want     string  `yaml:"want" desc:"what the device asked for: segment, detect, classify or text"`
	Model    string  `yaml:"model" desc:"the model's name"`
	White    float64 `yaml:"white" desc:"reflectance that becomes 255 where a model for pictures looks at bands; 1 for scenes that are 8-bit pictures. 0: 0.4" range:"0..10"`
	Level    string  `yaml:"level" desc:"processing level of scenes that it is for, such as 2A, and for which it goes before others" default:"any"`
	Optional bool    `yaml:"optional" desc:"leave it out where there is no such model"`
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
		Focus:       sar.OnCPU,
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
	if c.Focus == "" {
		c.Focus = d.Focus
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
		config.Limits(m, Choice{White: defaultWhite}, func(name, message, hint string) { add(field+name, message, hint) })
	}
	if c.Land != "" {
		if _, err := sar.ReadLand(c.Land); err != nil {
			add("land", err.Error(), "name a GeoJSON file of polygons, in longitude and latitude")
		}
	}
	c.pipelineProblems(add)
	config.Limits(c.withDefaults(), DefaultConfig(), add)
	if c.Prefetch > 0 && c.BatchItems > c.Prefetch {
		add("prefetch", fmt.Sprintf("is %d, below batch_items %d", c.Prefetch, c.BatchItems), "use at least twice batch_items, so that decoding and inference overlap")
	}
	if c.Grace < 0 || c.Grace >= 5*time.Second {
		add("grace", fmt.Sprintf("is %v", c.Grace), "use less than 5s: a worker leaves within five seconds")
	}
}
