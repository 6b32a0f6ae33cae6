package worker

import (
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// What a network gives, as far as it matters for what can be done next.
const (
	GivesBoxes   = "boxes"   // detections; of text: slanted ones with four corners
	GivesMask    = "mask"    // a class for each pixel
	GivesClasses = "classes" // labels for the whole picture
	GivesWords   = "words"   // what is written in a picture of one line
)

// Route is what is done with an item: one model, or a pipeline of several.
type Route struct {
	Name     string         // the model's or the pipeline's
	versions *modelVersions // of the first model
	white    float64        // reflectance that becomes 255 for it, where it looks at bands as at a picture
	later    []laterStep
	takes    Pipeline      // of a pipeline: what it takes
	maxAge   time.Duration // 0: the worker's own
	rate     rate          // of a pipeline: of items through all its steps
}

type laterStep struct {
	Step
	versions *modelVersions
}

// needs are the shipped model's; every version of a model has the same bands and gives the same.
func (s laterStep) needs() Needs { return s.versions.shipped.Needs }

// suits says whether a pipeline takes the item.
func (r *Route) suits(item *event.Item, image *vision.Image) bool {
	p := r.takes
	return p.Want == item.Attrs.Want && holds(p.Kinds, string(item.Kind)) && holds(p.Streams, item.Stream) && suits(r.versions.bands, image)
}

// masks says whether the first model makes a mask of the item: then it sees a tile window by window.
func (r *Route) masks(item *event.Item) bool {
	return item.Attrs.Want == "segment" || r.versions.shipped.Needs.Gives == GivesMask
}

// holds: an empty list holds everything.
func holds(list []string, one string) bool { return len(list) == 0 || slices.Contains(list, one) }

// fits names the step that can't work after those before it, or nothing.
func (r *Route) fits() (problems []config.Problem) {
	add := func(step int, message, hint string) {
		problems = append(problems, config.Problem{Field: fmt.Sprintf("worker.pipelines: %s.steps.%d.model", r.Name, step), Message: message, Hint: hint})
	}
	first := r.versions.shipped.Needs
	if first.Gives != GivesBoxes && first.Gives != GivesMask {
		add(0, fmt.Sprintf("%s gives %s, in which nothing can be looked at again", r.versions.Name, first.Gives), "begin with a model for detect, segment or a text detector")
	}
	for n, s := range r.later {
		switch gives := s.needs().Gives; {
		case gives != GivesBoxes && gives != GivesClasses && gives != GivesWords:
			add(n+1, s.Model+" gives a "+gives, "a later step needs a model for detect, classify or the reading of text")
		case n+1 < len(r.later) && gives == GivesWords:
			add(n+1, s.Model+" reads words, after which nothing is left to look at", "put it last")
		case !sees(first.Bands, s.needs().Bands):
			add(n+1, fmt.Sprintf("%s needs %v, but %s sees pictures of %v", s.Model, orColour(s.needs().Bands), r.versions.Name, orColour(first.Bands)),
				"name a model whose bands are among those of the first")
		}
	}
	return problems
}

// sees: of what the first model takes, the later one can take a crop. Bands become a picture where
// blue, green and red are among them.
func sees(first, later []string) bool {
	if len(later) == 0 {
		later = visible
	}
	if len(first) == 0 {
		first = visible
	}
	return !slices.ContainsFunc(later, func(b string) bool { return !slices.Contains(first, b) })
}

// visible are the bands of a picture, in the order of its bytes.
var visible = []string{"blue", "green", "red"}

func orColour(bands []string) any {
	if len(bands) == 0 {
		return "8-bit colour"
	}
	return bands
}
