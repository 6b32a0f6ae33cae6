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
	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/vision"
)

// ErrUnfit says that the worker itself can't do its work: no item is at fault.
var ErrUnfit = errors.New("this worker lacks what its configuration asks for")

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

// Registry knows the models of a worker, each loaded when it is first needed.
type Registry struct {
	pipelines []*Route
	choices   []choice
	names     []string // of the models, in the order of the configuration
	models    map[string]*modelVersions
	cache     *modelCache
	focus     *Route // of raw radar echoes, which need no model
}

// choice is a route of one model, and the want it answers.
type choice struct {
	*Route
	want, level string
}

// NewRegistry looks up the manifest of every model that the configuration names; nothing is loaded yet.
// SpectralRGB is always there.
func NewRegistry(cfg Config, from Catalogue) (*Registry, error) {
	r := &Registry{models: map[string]*modelVersions{}, cache: newModelCache(cfg.ModelsMemoryBytes), focus: &Route{Name: sar.Algorithm}}
	from = builtin{from}
	var mistakes []config.Problem
	for _, p := range cfg.Pipelines {
		if len(p.Steps) == 0 {
			continue // config.Check tells
		}
		route := &Route{Name: p.Name, takes: p, maxAge: p.MaxAge, white: cmp.Or(p.Steps[0].White, defaultWhite)}
		for n, step := range p.Steps {
			v, err := r.add(step.Model, "pipeline "+p.Name, from)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				route.versions = v
				continue
			}
			route.later = append(route.later, laterStep{step.withDefaults(), v})
		}
		mistakes = append(mistakes, route.fits()...)
		r.pipelines = append(r.pipelines, route)
	}
	for _, c := range cfg.Models {
		v, err := r.add(c.Model, c.Want, from)
		if c.Optional && errors.Is(err, ErrUnfit) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r.choices = append(r.choices, choice{&Route{Name: c.Model, versions: v, white: cmp.Or(c.White, defaultWhite)}, c.Want, c.Level})
	}
	if mistakes = append(mistakes, r.cache.tooLarge(r.models)...); len(mistakes) > 0 {
		return nil, &config.Error{File: "configuration", Problems: mistakes}
	}
	return r, nil
}

// add puts a model into the registry, once.
func (r *Registry) add(name, wanted string, from Catalogue) (*modelVersions, error) {
	if v := r.models[name]; v != nil {
		return v, nil
	}
	needs, err := from.Describe(name)
	if err != nil {
		return nil, fmt.Errorf("%w: model %q, wanted for %s: %w", ErrUnfit, name, wanted, err)
	}
	v := newModelVersions(name, needs, r.cache, func(ctx context.Context) (Network, error) { return from.Open(ctx, name) })
	r.models[name], r.names = v, append(r.names, name)
	return v, nil
}

// Names are the models.
func (r *Registry) Names() []string { return slices.Clone(r.names) }

// Pick is what is done with an item: the pipeline or model that it asks for by name where that is at
// hand for its want, else the first pipeline that takes it, else the first model for the want
// whose bands the image has: of those for its processing level, else of those for any.
func (r *Registry) Pick(item *event.Item, image *vision.Image) (*Route, error) {
	want, asked := item.Attrs.Want, item.Attrs.Model
	var fit, ofLevel *Route
	known := false
	for _, route := range r.pipelines {
		known = known || route.takes.Want == want
		if !route.suits(item, image) {
			continue
		}
		if route.Name == asked {
			return route, nil
		}
		if fit == nil {
			fit = route
		}
	}
	piped := fit != nil
	for _, c := range r.choices {
		if c.want != want {
			continue
		}
		known = true
		if !suits(c.versions.bands, image) {
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

// Preload loads the models of pipelines and the first choice for each want, so that the first item need not wait for it, and a
// model that can't be loaded is known at the start. Those that the budget has no room for beside the
// others wait until they are needed.
func (r *Registry) Preload(ctx context.Context) error {
	var first []*modelVersions
	for _, route := range r.pipelines {
		first = append(first, route.versions)
		for _, step := range route.later {
			first = append(first, step.versions)
		}
	}
	wants := map[string]bool{}
	for _, c := range r.choices {
		if !wants[c.want] {
			wants[c.want] = true
			first = append(first, c.versions)
		}
	}
	for _, v := range first {
		if !r.cache.roomy(v.now()) {
			continue
		}
		if err := v.preload(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Rates are the measured items/s of each pipeline, through all its steps, and of each other model, of
// the version that most items see, and of focusing. Crops a second would say nothing of how fast items are done.
func (r *Registry) Rates() map[string]float64 {
	rates := map[string]float64{}
	put := func(name string, of *rate) {
		if rate := of.perSecond(); rate > 0 {
			rates[name] = rate
		}
	}
	for _, route := range r.pipelines {
		put(route.Name, &route.rate)
	}
	for _, c := range r.choices {
		put(c.Name, &c.versions.now().rate)
	}
	put(r.focus.Name, &r.focus.rate)
	return rates
}

// Versions are those of the models that are loaded, by name.
func (r *Registry) Versions() map[string]string {
	versions := map[string]string{}
	for name, v := range r.models {
		if m := v.now(); m.loaded() {
			versions[name] = m.Needs.Version
		}
	}
	return versions
}

// Add loads a version of a model beside what runs; see Use.
func (r *Registry) Add(ctx context.Context, name string, needs Needs, open func(context.Context) (Network, error)) error {
	v := r.models[name]
	if v == nil {
		return fmt.Errorf("model %q is not among this worker's models", name)
	}
	return v.add(ctx, needs, open)
}

// Use switches a model to versions that were added, between batches: the current one, the canary that
// sees a share of the items, and the fallback that tries what the current one fails at. Empty is the
// shipped version, and no canary.
func (r *Registry) Use(name, current, canary, fallback string, share float64) error {
	v := r.models[name]
	if v == nil {
		return fmt.Errorf("model %q is not among this worker's models", name)
	}
	return v.use(current, canary, fallback, share)
}

// Stats are those of a version that is in use; empty is the shipped one.
func (r *Registry) Stats(name, version string) Stats {
	v := r.models[name]
	if v == nil {
		return Stats{}
	}
	v.mu.Lock()
	m := v.shipped
	if version != "" {
		m = v.added[version]
	}
	v.mu.Unlock()
	if m == nil {
		return Stats{}
	}
	return m.stats.read()
}

// Close frees the loaded models. Nobody may be working.
func (r *Registry) Close() error {
	var all []error
	for _, v := range r.models {
		all = append(all, v.close())
	}
	return errors.Join(all...)
}
