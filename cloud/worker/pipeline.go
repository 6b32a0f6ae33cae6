package worker

import (
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/event"
)

// Pipeline is several models in a row under one name: the first sees the whole picture, each later
// one looks again at what the first found: at its boxes, or at the polygons of its mask.
type Pipeline struct {
	Name string `yaml:"name"`
	// Want, Kinds and Streams are the items it takes; none of a list: all. Pipelines come before
	// worker.models, and the first that suits an item takes it.
	Want    string   `yaml:"want"`
	Kinds   []string `yaml:"kinds"`
	Streams []string `yaml:"streams"`
	// MaxAge is how old an item may be before it is late, in place of worker.max_age.
	MaxAge time.Duration `yaml:"max_age"`
	Steps  []Step        `yaml:"steps"`
}

// Step is one model of a pipeline. All but the model is for the later ones: what of the first one's
// findings they look at, and how. The zero value of a field stands for its default.
type Step struct {
	Model string `yaml:"model"`
	// Labels are the findings looked at; none: all. Of a mask: shadow, cloud, or a class's number.
	Labels []string `yaml:"labels"`
	// MinScore is the least score of a finding that is looked at, MinArea the least pixels of a polygon.
	MinScore float64 `yaml:"min_score"`
	MinArea  int     `yaml:"min_area"` // default 64
	// Most is how many findings of one item are looked at, the best or largest first. Default 16.
	Most int `yaml:"most"`
	// Margin widens a crop on each side, as a share of the box's own side. Default 0.1; of lines of
	// text 0.
	Margin *float64 `yaml:"margin"`
	// Accept is the least score at which what is seen counts. Default 0.3. The next step passes over
	// findings that were not accepted.
	Accept float64 `yaml:"accept"`
	// White is the reflectance that becomes 255 where a network for pictures looks at bands. Default 0.4.
	White float64 `yaml:"white"`
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
	if p.MaxAge < 0 {
		add("max_age", fmt.Sprintf("is %v", p.MaxAge), "use a positive time, or leave it out")
	}
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
	for _, share := range []struct {
		name  string
		value float64
	}{{"min_score", s.MinScore}, {"accept", s.Accept}} {
		if !(share.value >= 0 && share.value <= 1) {
			add(share.name, fmt.Sprintf("is %v", share.value), "use 0 to 1")
		}
	}
	if s.Margin != nil && !(*s.Margin >= 0 && *s.Margin <= 4) {
		add("margin", fmt.Sprintf("is %v", *s.Margin), "use 0 to 4 times the box's sides; 0.1 suits most")
	}
	if s.Most < 0 || s.Most > mostCrops {
		add("most", fmt.Sprintf("is %d", s.Most), fmt.Sprintf("use 1 to %d findings of one item", mostCrops))
	}
	if s.MinArea < 0 {
		add("min_area", fmt.Sprintf("is %d", s.MinArea), "use a positive number of pixels")
	}
	if !(s.White >= 0 && s.White <= 10) {
		add("white", fmt.Sprintf("is %v", s.White), "use a reflectance, 0.2 to 1")
	}
}
