package worker

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/vision"
)

// Finding is a box or a polygon of a pipeline's first model, with what the later ones found in it.
type Finding struct {
	Box         *vision.Box  `json:"box,omitempty"`
	Polygon     *Polygon     `json:"polygon,omitempty"`
	Inspections []Inspection `json:"looks,omitempty"` // that name is promised

	picked bool   // the step under way looks at it …
	window Window // … in this part of the picture
}

// Inspection is what one step found in a finding. JSON has it under its first name.
type Inspection struct {
	Step     int            `json:"step"` // its place in the pipeline, from 1 for the second model
	Model    string         `json:"model"`
	Version  string         `json:"version"`
	Window   Window         `json:"window"`          // the part of the picture that it saw
	Label    string         `json:"label,omitempty"` // the best class, or that of the box that fits best
	Text     string         `json:"text,omitempty"`  // of a reader
	Score    float32        `json:"score"`
	Accepted bool           `json:"accepted"`          // the score is at least the step's
	Boxes    []vision.Box   `json:"boxes,omitempty"`   // all that a detector saw, in pixels of the picture
	Classes  []vision.Class `json:"classes,omitempty"` // all that a classifier said
	Failed   string         `json:"failed,omitempty"`  // why there is nothing
}

// StepReport is how one step of a pipeline went with an item.
type StepReport struct {
	Model     string `json:"model"`
	Version   string `json:"version"`
	Inspected int    `json:"looked"`           // findings, of the first step: pictures
	LeftOut   int    `json:"left,omitempty"`   // findings over the step's bound, not looked at
	Failed    int    `json:"failed,omitempty"` // findings that it could not look at
	Error     string `json:"error,omitempty"`  // the first reason
}

// around is the finding as a box.
func (f *Finding) around() vision.Box {
	if f.Polygon != nil {
		w := f.Polygon.Window
		return vision.Box{X: float32(w.X), Y: float32(w.Y), W: float32(w.W), H: float32(w.H)}
	}
	return *f.Box
}

func (f *Finding) label() string {
	if f.Polygon != nil {
		return f.Polygon.Label
	}
	return f.Box.Label
}

func (f *Finding) score() float32 {
	if f.Polygon != nil {
		return f.Polygon.Score
	}
	return f.Box.Score
}

// accepted: nothing that looked at it before thought it was nothing.
func (f *Finding) accepted() bool {
	return !slices.ContainsFunc(f.Inspections, func(l Inspection) bool { return !l.Accepted })
}

// target is a finding of a job that a step looks at.
type target struct {
	job     *job
	model   *Model
	finding *Finding
}

// record puts what a step saw on the finding. Boxes are moved from the crop into the picture.
func (t target) record(n int, s *laterStep, m *Model, out *vision.Output) {
	if !numbers(out) {
		t.fails(n, fmt.Errorf("%s version %s gave a score that is no number", m.Name, m.Needs.Version))
		return
	}
	l := Inspection{Step: n, Model: m.Name, Version: m.Needs.Version, Window: t.finding.window}
	switch s.needs().Gives {
	case GivesBoxes:
		for _, b := range out.Boxes {
			b.X, b.Y = b.X+float32(l.Window.X), b.Y+float32(l.Window.Y)
			l.Boxes = append(l.Boxes, b)
		}
		if best, ok := closest(l.Boxes, t.finding); ok {
			l.Label, l.Score = best.Label, best.Score
		}
	case GivesWords:
		if len(out.Classes) > 0 {
			l.Text, l.Score = out.Classes[0].Label, out.Classes[0].Score
		}
	default:
		if l.Classes = out.Classes; len(l.Classes) > 0 {
			l.Label, l.Score = l.Classes[0].Label, l.Classes[0].Score
		}
	}
	l.Accepted = float64(l.Score) >= s.Accept
	t.finding.Inspections = append(t.finding.Inspections, l)
}

// numbers: JSON knows no others.
func numbers(out *vision.Output) bool {
	no := func(v float32) bool { return v != v || v > math.MaxFloat32 || v < -math.MaxFloat32 }
	return !slices.ContainsFunc(out.Classes, func(c vision.Class) bool { return no(c.Score) }) &&
		!slices.ContainsFunc(out.Boxes, func(b vision.Box) bool { return no(b.X) || no(b.Y) || no(b.W) || no(b.H) || no(b.Score) })
}

// sameThing is the overlap from which a box is taken to be about the same thing as the finding.
const sameThing = 0.3

// closest is the best box about the same thing, one of the finding's own label before any other.
func closest(boxes []vision.Box, f *Finding) (vision.Box, bool) {
	about := f.around()
	var near []vision.Box
	for _, b := range boxes {
		if vision.IoU(about, b) >= sameThing {
			near = append(near, b)
		}
	}
	if len(near) == 0 {
		return vision.Box{}, false
	}
	own := func(b vision.Box) int {
		if b.Label == f.label() {
			return 1
		}
		return 0
	}
	return slices.MaxFunc(near, func(a, b vision.Box) int {
		return cmp.Or(cmp.Compare(own(a), own(b)), cmp.Compare(a.Score, b.Score))
	}), true
}

// fails notes that a step could not look at a finding.
func (t target) fails(n int, why error) {
	step := &t.job.steps[n]
	step.Failed++
	if step.Error == "" {
		step.Error = why.Error()
	}
	t.finding.Inspections = append(t.finding.Inspections, Inspection{Step: n, Model: t.model.Name, Version: t.model.Needs.Version, Window: t.finding.window, Failed: why.Error()})
}
