package worker

import (
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
)

// Pipeline is several models in a row under one name: the first sees the whole picture, each later
// one looks again at what the first found: at its boxes, or at the polygons of its mask.
type Pipeline struct {
	Name    string        `yaml:"name" desc:"its name, which results have in place of a model's"`
	Want    string        `yaml:"want" desc:"what the device asked for: segment, detect, classify or text"`
	Kinds   []string      `yaml:"kinds" desc:"kinds of items: tile, crop, frame" default:"all"`
	Streams []string      `yaml:"streams" desc:"streams that it is for" default:"all"`
	MaxAge  time.Duration `yaml:"max_age" desc:"how old an item may be, in place of worker.max_age; 0: as there" range:"0s.."`
	Steps   []Step        `yaml:"steps" desc:"2 to 4 models in a row; each later one looks at what the first one found"`
}

// Step is one model of a pipeline. All but the model is for the later ones: what of the first one's
// findings they look at, and how. The zero value of a field stands for its default.
type Step struct {
	Model    string   `yaml:"model" desc:"the model's name"`
	Labels   []string `yaml:"labels" desc:"labels of the findings it looks at; of a mask: shadow, cloud, or a class's number" default:"all"`
	MinScore float64  `yaml:"min_score" desc:"least score of a finding it looks at" range:"0..1"`
	MinArea  int      `yaml:"min_area" desc:"least pixels of a polygon it looks at; 0: 64" range:"0.."`
	Most     int      `yaml:"most" desc:"findings of one item, the best or largest first; 0: 16" range:"0..256"`
	Margin   *float64 `yaml:"margin" desc:"how far a crop reaches beyond the box on each side, as a share of the box's side" range:"0..4" default:"0.1, of lines of text 0"`
	Accept   float64  `yaml:"accept" desc:"least score of its own that counts; 0: 0.3" range:"0..1"`
	White    float64  `yaml:"white" desc:"reflectance that becomes 255 where a model for pictures looks at bands; 0: 0.4" range:"0..10"`
}

const (
	defaultMargin  = 0.1
	defaultMost    = 16
	defaultMinArea = 64
	defaultAccept  = 0.3
	defaultWhite   = 0.4

	mostSteps = 4
	mostCrops = 256 // of one item
)

func (s Step) withDefaults() Step {
	if s.MinArea == 0 {
		s.MinArea = defaultMinArea
	}
	if s.Most == 0 {
		s.Most = defaultMost
	}
	if s.Accept == 0 {
		s.Accept = defaultAccept
	}
	if s.White == 0 {
		s.White = defaultWhite
	}
	return s
}

// pipelineProblems names what is wrong with pipelines whatever the models are; fits knows the rest.
func (c Config) pipelineProblems(add func(field, message, hint string)) {
	taken := map[string]bool{}
	for _, m := range c.Models {
		taken[m.Model] = true
	}
	for _, p := range c.Pipelines {
		for _, s := range p.Steps {
			taken[s.Model] = true
		}
	}
	for n, p := range c.Pipelines {
		field := fmt.Sprintf("pipelines.%d.", n)
		switch {
		case p.Name == "":
			add(field+"name", "is empty", "give it a name: results say it in place of a model's")
		case taken[p.Name]:
			add(field+"name", fmt.Sprintf("%q is a model or another pipeline", p.Name), "give it a name of its own: ids of results are made of it")
		}
		taken[p.Name] = true
		p.problems(func(name, message, hint string) { add(field+name, message, hint) })
	}
}

func (p Pipeline) problems(add func(field, message, hint string)) {
	if p.Want == "" {
		add("want", "is empty", "say what is asked for: segment, detect, classify or text")
	}
	for _, k := range p.Kinds {
		if !slices.Contains([]event.Kind{event.Tile, event.Crop, event.Frame}, event.Kind(k)) {
			add("kinds", fmt.Sprintf("%q is no kind of work", k), "use tile, crop or frame")
		}
	}
	config.Limits(p, Pipeline{}, add)
	if len(p.Steps) < 2 || len(p.Steps) > mostSteps {
		add("steps", fmt.Sprintf("has %d steps", len(p.Steps)), fmt.Sprintf("give 2 to %d; one model alone stands in worker.models", mostSteps))
	}
	for k, s := range p.Steps {
		s.problems(func(name, message, hint string) { add(fmt.Sprintf("steps.%d.%s", k, name), message, hint) })
	}
}

func (s Step) problems(add func(field, message, hint string)) {
	if s.Model == "" {
		add("model", "is empty", "name a model of the repository; `canvas-edge models ls` lists them")
	}
	config.Limits(s, Step{}.withDefaults(), add)
}
