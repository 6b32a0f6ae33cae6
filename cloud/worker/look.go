package worker

import (
	"context"
	"fmt"
	"slices"

	"cloudcanvas/shared/vision"
)

// Finding is a box or a polygon of a pipeline's first model, with what the later ones say of it.
type Finding struct {
	Box     *vision.Box `json:"box,omitempty"`
	Polygon *Polygon    `json:"polygon,omitempty"`
	Looks   []Look      `json:"looks,omitempty"`

	picked bool   // the step under way looks at it …
	window Window // … in this part of the picture
}

// Look is what one step saw of a finding.
type Look struct {
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

// Passed is how one step of a pipeline went with an item.
type Passed struct {
	Model   string `json:"model"`
	Version string `json:"version"`
	Looked  int    `json:"looked"`           // findings, of the first step: pictures
	Left    int    `json:"left,omitempty"`   // findings over the step's bound, not looked at
	Failed  int    `json:"failed,omitempty"` // findings that it could not look at
	Error   string `json:"error,omitempty"`  // the first reason
}

// follow takes the jobs of one pipeline, which its first model has seen, through the later steps. A
// step that fails is told in the result: the item has been seen, and what is known of it is not lost.
// The error is not nil only when ctx ended or a model can't be loaded.
func (p *loop) follow(ctx context.Context, r *Route, jobs []*job) error {
	for _, j := range jobs {
		j.findings = findingsOf(&j.output, r.later[0].MinArea)
		j.passed = []Passed{{Model: j.model.Name, Version: j.model.Needs.Version, Looked: 1}}
	}
	for n := range r.later {
		if err := p.lookCloser(ctx, n+1, &r.later[n], jobs); err != nil {
			return err
		}
	}
	return nil
}

// findingsOf are what the first model found, best or largest first. Of polygons only so many as a
// step may look at at most: of noise there is no end.
func findingsOf(out *vision.Output, least int) (found []Finding) {
	if out.Mask.Class != nil {
		polygons := polygonsOf(&out.Mask, least)
		for _, g := range polygons[:min(len(polygons), mostCrops)] {
			found = append(found, Finding{Polygon: &g})
		}
		return found
	}
	for _, b := range out.Boxes {
		found = append(found, Finding{Box: &b})
	}
	return found
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
	return !slices.ContainsFunc(f.Looks, func(l Look) bool { return !l.Accepted })
}

// pick marks the findings that a step looks at, and counts those over its bound.
func pick(s *laterStep, findings []Finding) (left int) {
	picked := 0
	for n := range findings {
		f := &findings[n]
		f.picked = false
		switch {
		case !f.accepted(), float64(f.score()) < s.MinScore, !holds(s.Labels, f.label()):
		case f.Polygon != nil && f.Polygon.Area < s.MinArea:
		case picked == s.Most:
			left++
		default:
			f.picked = true
			picked++
		}
	}
	return left
}

// target is a finding of a job that a step looks at.
type target struct {
	job     *job
	model   *Model
	finding *Finding
}

// jobsOf are the jobs of targets, each once.
func jobsOf(targets []target) (jobs []*job) {
	for _, t := range targets {
		if !slices.Contains(jobs, t.job) {
			jobs = append(jobs, t.job)
		}
	}
	return jobs
}

// lookCloser is one later step: the crops of all jobs of the batch, in batches of their own. Crops are
// cut when their batch is next, so that only one batch of them is in memory.
func (p *loop) lookCloser(ctx context.Context, n int, s *laterStep, jobs []*job) error {
	shares := map[*Model][]target{}
	var order []*Model
	for _, j := range jobs {
		m := s.versions.versionFor(j.entry.Item.ID)
		defer s.versions.release(m)
		step := Passed{Model: m.Name, Version: m.Needs.Version, Left: pick(s, j.findings)}
		for k := range j.findings {
			if f := &j.findings[k]; f.picked {
				if shares[m] == nil {
					order = append(order, m)
				}
				shares[m] = append(shares[m], target{j, m, f})
				step.Looked++
			}
		}
		j.passed = append(j.passed, step)
	}
	for _, m := range order {
		for batch := range slices.Chunk(shares[m], p.cfg.BatchItems) {
			if err := p.lookAt(ctx, n, s, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookAt cuts the crops of one batch and lets the model see them.
func (p *loop) lookAt(ctx context.Context, n int, s *laterStep, targets []target) error {
	crops := make([]vision.Image, 0, len(targets))
	cut := make([]target, 0, len(targets))
	for _, t := range targets {
		c, err := s.cropOf(&t.job.image, t.finding)
		if err != nil {
			t.fails(n, err)
			continue
		}
		crops, cut = append(crops, c), append(cut, t)
	}
	if len(cut) == 0 {
		return nil
	}
	m := cut[0].model
	outputs, err := p.forward(ctx, m, crops, jobsOf(cut))
	if stop := stops(ctx, err); stop != nil {
		return stop
	}
	if err == nil {
		for k, t := range cut {
			t.looked(n, s, m, &outputs[k])
		}
		return nil
	}
	for k, t := range cut { // one that the model can't bear must not take its neighbours along
		if err := p.lookAlone(ctx, n, s, t, crops[k]); err != nil {
			return err
		}
	}
	return nil
}

// lookAlone tries one crop, and where the version fails at it another version.
func (p *loop) lookAlone(ctx context.Context, n int, s *laterStep, t target, crop vision.Image) error {
	outputs, first := p.forward(ctx, t.model, []vision.Image{crop}, []*job{t.job})
	if stop := stops(ctx, first); stop != nil {
		return stop
	}
	if first == nil {
		t.looked(n, s, t.model, &outputs[0])
		return nil
	}
	other := s.versions.fallbackFor(t.model)
	if other == nil {
		t.model.stats.fail()
	} else {
		defer s.versions.release(other)
		outputs, err := p.forward(ctx, other, []vision.Image{crop}, []*job{t.job})
		if stop := stops(ctx, err); stop != nil {
			return stop
		}
		if err == nil {
			t.model.stats.fail()
			t.looked(n, s, other, &outputs[0])
			return nil
		}
	}
	t.fails(n, fmt.Errorf("%s version %s: %w", t.model.Name, t.model.Needs.Version, first))
	return nil
}

// fails notes that a step could not look at a finding.
func (t target) fails(n int, why error) {
	step := &t.job.passed[n]
	step.Failed++
	if step.Error == "" {
		step.Error = why.Error()
	}
	t.finding.Looks = append(t.finding.Looks, Look{Step: n, Model: t.model.Name, Version: t.model.Needs.Version, Window: t.finding.window, Failed: why.Error()})
}
