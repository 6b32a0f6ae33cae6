package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
}

// Catalogue knows models by name. Open loads one, which may take seconds.
type Catalogue interface {
	Describe(name string) (Needs, error)
	Open(ctx context.Context, name string) (Network, error)
}

// Shelf holds the models of a worker, each loaded when it is first needed.
type Shelf struct {
	choices []Choice
	lines   map[string]*Line
}

// NewShelf looks up every choice's manifest; nothing is loaded yet. SpectralRGB is always there.
func NewShelf(choices []Choice, from Catalogue) (*Shelf, error) {
	s := &Shelf{choices: choices, lines: map[string]*Line{}}
	from = builtin{from}
	for _, c := range choices {
		if s.lines[c.Model] != nil {
			continue
		}
		needs, err := from.Describe(c.Model)
		if err != nil {
			return nil, fmt.Errorf("%w: model %q, wanted for %s: %w", ErrUnfit, c.Model, c.Want, err)
		}
		s.lines[c.Model] = newLine(c.Model, needs, func(ctx context.Context) (Network, error) { return from.Open(ctx, c.Model) })
	}
	return s, nil
}

// Names are the models on the shelf, in the order of the choices.
func (s *Shelf) Names() (names []string) {
	for _, c := range s.choices {
		if !slices.Contains(names, c.Model) {
			names = append(names, c.Model)
		}
	}
	return names
}

// Pick is the first model for the wish whose bands the image has. asked, a model's name, comes
// first where it is on the shelf for this wish.
func (s *Shelf) Pick(want, asked string, image *vision.Image) (*Line, error) {
	var fit *Line
	known := false
	for _, c := range s.choices {
		if c.Want != want {
			continue
		}
		known = true
		l := s.lines[c.Model]
		if !suits(l.bands, image) {
			continue
		}
		if c.Model == asked {
			return l, nil
		}
		if fit == nil {
			fit = l
		}
	}
	switch {
	case fit != nil:
		return fit, nil
	case !known:
		return nil, fmt.Errorf("no model is configured for %q; add one to worker.models", want)
	}
	return nil, fmt.Errorf("no model for %q takes an image of %s; add one to worker.models", want, strings.Join(bandsOf(image), ", "))
}

func suits(bands []string, image *vision.Image) bool {
	if len(bands) == 0 {
		return image.Pix != nil
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
		return []string{"blue", "green", "red"}
	}
	return image.Bands
}

// Preload loads the first choice for each wish, so that the first item need not wait for it, and a
// model that can't be loaded is known at the start.
func (s *Shelf) Preload(ctx context.Context) error {
	wishes := map[string]bool{}
	for _, c := range s.choices {
		if wishes[c.Want] {
			continue
		}
		wishes[c.Want] = true
		if err := s.lines[c.Model].preload(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Rates are the measured items/s of each model that has run, of the version that most items see.
func (s *Shelf) Rates() map[string]float64 {
	rates := map[string]float64{}
	for name, l := range s.lines {
		if r := l.now().rate.perSecond(); r > 0 {
			rates[name] = r
		}
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

// Throttle lets each model do at most so many items/s, for tests. Before the first is loaded.
func (s *Shelf) Throttle(itemsPerSecond float64) {
	for _, l := range s.lines {
		l.most = itemsPerSecond
	}
}

// Close frees the loaded models. Nobody may be working.
func (s *Shelf) Close() error {
	var all []error
	for _, l := range s.lines {
		all = append(all, l.close())
	}
	return errors.Join(all...)
}
