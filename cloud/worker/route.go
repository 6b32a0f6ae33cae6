package worker

import (
	"fmt"
	"slices"
	"time"

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
	Name   string // the model's or the pipeline's
	line   *Line  // of the first model
	later  []laterStep
	takes  Pipeline      // of a pipeline: what it takes
	maxAge time.Duration // 0: the worker's own
}

type laterStep struct {
	Step
	line *Line
}

// needs are the shipped model's; every version of a line has the same bands and gives the same.
func (s laterStep) needs() Needs { return s.line.shipped.Needs }

// suits says whether a pipeline takes the item.
func (r *Route) suits(item *event.Item, image *vision.Image) bool {
	p := r.takes
	return p.Want == item.Attrs.Want && holds(p.Kinds, string(item.Kind)) && holds(p.Streams, item.Stream) && suits(r.line.bands, image)
}

// holds: an empty list holds everything.
func holds(list []string, one string) bool { return len(list) == 0 || slices.Contains(list, one) }

// fits says why the models of a pipeline can't work in this order, or nil.
func (r *Route) fits() error {
	first := r.line.shipped.Needs
	if first.Gives != GivesBoxes && first.Gives != GivesMask {
		return fmt.Errorf("steps[0].model: %s gives %s, in which nothing can be looked at again; begin with a model for detect, segment or a text detector", r.line.Name, first.Gives)
	}
	for n, s := range r.later {
		gives, wrong := s.needs().Gives, ""
		switch {
		case gives != GivesBoxes && gives != GivesClasses && gives != GivesWords:
			wrong = "gives a " + gives + "; a later step needs a model for detect, classify or the reading of text"
		case n+1 < len(r.later) && gives == GivesWords:
			wrong = "reads words, after which nothing is left to look at; put it last"
		case !sees(first.Bands, s.needs().Bands):
			wrong = fmt.Sprintf("needs the bands %v, but %s sees pictures of %v", orColour(s.needs().Bands), r.line.Name, orColour(first.Bands))
		}
		if wrong != "" {
			return fmt.Errorf("steps[%d].model: %s %s", n+1, s.Model, wrong)
		}
	}
	return nil
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
