package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// ErrUnfit says that the worker itself can't do its work: no item is at fault.
var ErrUnfit = errors.New("this worker is unfit for its work")

// Network is a loaded model. Safe for concurrent use.
type Network interface {
	Run(ctx context.Context, in []vision.Image) ([]vision.Output, error)
}

// Needs is what a model's manifest says that matters for choosing it.
type Needs struct {
	Version string
	Bands   []string // the bands it must have; empty: an 8-bit colour picture
	Gives   string   // GivesBoxes …; matters in pipelines only
	Bytes   int64    // of its file
}

// Catalogue knows models by name. Open loads one, which may take seconds.
type Catalogue interface {
	Describe(name string) (Needs, error)
	Open(ctx context.Context, name string) (Network, error)
}

// Shelf holds the models of a worker, each loaded when it is first needed.
type Shelf struct {
	pipelines []*Route
	choices   []choice
	names     []string // of the models, in the order of the configuration
	lines     map[string]*Line
	memory    *residents
}

// choice is a route of one model, and the wish it answers.
type choice struct {
	*Route
	want, level string
}

// NewShelf looks up the manifest of every model that the configuration names; nothing is loaded yet.
// SpectralRGB is always there.
func NewShelf(cfg Config, from Catalogue) (*Shelf, error) {
	s := &Shelf{lines: map[string]*Line{}, memory: newResidents(cfg.ModelsMemoryBytes)}
	from = builtin{from}
	var mistakes []config.Problem
	for _, p := range cfg.Pipelines {
		if len(p.Steps) == 0 {
			continue // config.Check tells
		}
		r := &Route{Name: p.Name, takes: p, maxAge: p.MaxAge, white: cmp.Or(p.Steps[0].White, defaultWhite)}
		for n, step := range p.Steps {
			l, err := s.stock(step.Model, "pipeline "+p.Name, from)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				r.line = l
				continue
			}
			r.later = append(r.later, laterStep{step.withDefaults(), l})
		}
		mistakes = append(mistakes, r.fits()...)
		s.pipelines = append(s.pipelines, r)
	}
	for _, c := range cfg.Models {
		l, err := s.stock(c.Model, c.Want, from)
		if c.Optional && errors.Is(err, ErrUnfit) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.choices = append(s.choices, choice{&Route{Name: c.Model, line: l, white: cmp.Or(c.White, defaultWhite)}, c.Want, c.Level})
	}
	if mistakes = append(mistakes, s.memory.tooLarge(s.lines)...); len(mistakes) > 0 {
		return nil, &config.Error{File: "configuration", Problems: mistakes}
	}
	return s, nil
}

// stock puts a model on the shelf, once.
func (s *Shelf) stock(name, wanted string, from Catalogue) (*Line, error) {
	if l := s.lines[name]; l != nil {
		return l, nil
	}
	needs, err := from.Describe(name)
	if err != nil {
		return nil, fmt.Errorf("%w: model %q, wanted for %s: %w", ErrUnfit, name, wanted, err)
	}
	l := newLine(name, needs, s.memory, func(ctx context.Context) (Network, error) { return from.Open(ctx, name) })
	s.lines[name], s.names = l, append(s.names, name)
	return l, nil
}

// Names are the models on the shelf.
func (s *Shelf) Names() []string { return slices.Clone(s.names) }

// Pick is what is done with an item: the pipeline or model that it asks for by name where that is on
// the shelf for its wish, else the first pipeline that takes it, else the first model for the wish
// whose bands the image has: of those for its processing level, else of those for any.
func (s *Shelf) Pick(item *event.Item, image *vision.Image) (*Route, error) {
	want, asked := item.Attrs.Want, item.Attrs.Model
	var fit, ofLevel *Route
	known := false
	for _, r := range s.pipelines {
		known = known || r.takes.Want == want
		if !r.suits(item, image) {
			continue
		}
		if r.Name == asked {
			return r, nil
		}
		if fit == nil {
			fit = r
		}
	}
	piped := fit != nil
	for _, c := range s.choices {
		if c.want != want {
			continue
		}
		known = true
		if !suits(c.line.bands, image) {
			continue
		}
		if c.Name == asked {
			return c.Route, nil
		}
		switch {
		case c.level == "" && fit == nil:
			fit = c.Route
		case c.level != "" && plainLevel(c.level) == plainLevel(item.Attrs.Level) && ofLevel == nil:
			ofLevel = c.Route
		}
	}
	switch {
	case ofLevel != nil && !piped:
		return ofLevel, nil
	case fit != nil:
		return fit, nil
	case !known:
		return nil, fmt.Errorf("no model is configured for %q; add one to worker.models or worker.pipelines", want)
	}
	return nil, fmt.Errorf("no model for %q takes an image of %s, here a %s of %s; add one to worker.models", want, strings.Join(bandsOf(image), ", "), item.Kind, item.Stream)
}

// plainLevel is a processing level without the word for it: 2A for L2A and Level-2A.
func plainLevel(level string) string { return strings.TrimLeft(strings.ToUpper(level), "LEV-") }

func suits(bands []string, image *vision.Image) bool {
	if len(bands) == 0 { // a network for pictures: bands are shown to it as one
		bands = visible
	}
	has := bandsOf(image)
	for _, b := range bands {
		if !slices.Contains(has, b) {
			return false
		}
	}
	return true
}

func bandsOf(image *vision.Image) []string {
	if image.Pix != nil {
		return visible
	}
	return image.Bands
}

// Preload loads the models of pipelines and the first choice for each wish, so that the first item need not wait for it, and a
// model that can't be loaded is known at the start. Those that the budget has no room for beside the
// others wait until they are needed.
func (s *Shelf) Preload(ctx context.Context) error {
	var first []*Line
	for _, r := range s.pipelines {
		first = append(first, r.line)
		for _, step := range r.later {
			first = append(first, step.line)
		}
	}
	wishes := map[string]bool{}
	for _, c := range s.choices {
		if !wishes[c.want] {
			wishes[c.want] = true
			first = append(first, c.line)
		}
	}
	for _, l := range first {
		if !s.memory.roomy(l.now()) {
			continue
		}
		if err := l.preload(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Rates are the measured items/s of each pipeline, through all its steps, and of each other model, of
// the version that most items see. Crops a second would say nothing of how fast items are done.
func (s *Shelf) Rates() map[string]float64 {
	rates := map[string]float64{}
	put := func(name string, of *rate) {
		if r := of.perSecond(); r > 0 {
			rates[name] = r
		}
	}
	for _, r := range s.pipelines {
		put(r.Name, &r.rate)
	}
	for _, c := range s.choices {
		put(c.Name, &c.line.now().rate)
	}
	return rates
}

// Versions are those of the models that are loaded, by name.
func (s *Shelf) Versions() map[string]string {
	versions := map[string]string{}
	for name, l := range s.lines {
		if m := l.now(); m.loaded() {
			versions[name] = m.Needs.Version
		}
	}
	return versions
}

// Close frees the loaded models. Nobody may be working.
func (s *Shelf) Close() error {
	var all []error
	for _, l := range s.lines {
		all = append(all, l.close())
	}
	return errors.Join(all...)
}
