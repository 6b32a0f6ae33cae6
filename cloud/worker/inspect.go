package worker

import (
	"context"
	"fmt"
	"slices"

	"cloudcanvas/shared/vision"
)

// runLaterSteps takes the jobs of one pipeline, which its first model has seen, through the later steps. A
// step that fails is noted in the result: the item has been seen, and what is known of it is not lost.
// The error is not nil only when ctx ended or a model can't be loaded.
func (p *loop) runLaterSteps(ctx context.Context, r *Route, jobs []*job) error {
	for _, j := range jobs {
		j.findings = findingsOf(&j.output, r.later[0].MinArea)
		j.steps = []StepReport{{Model: j.model.Name, Version: j.model.Needs.Version, Inspected: 1}}
	}
	for n := range r.later {
		if err := p.runStep(ctx, n+1, &r.later[n], jobs); err != nil {
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

// jobsOf are the jobs of targets, each once.
func jobsOf(targets []target) (jobs []*job) {
	for _, t := range targets {
		if !slices.Contains(jobs, t.job) {
			jobs = append(jobs, t.job)
		}
	}
	return jobs
}

// runStep is one later step: the crops of all jobs of the batch, in batches of their own. Crops are
// cut when their batch is next, so that only one batch of them is in memory.
func (p *loop) runStep(ctx context.Context, n int, s *laterStep, jobs []*job) error {
	byVersion := map[*Model][]target{}
	var order []*Model
	for _, j := range jobs {
		m := s.versions.versionFor(j.entry.Item.ID)
		defer s.versions.release(m)
		step := StepReport{Model: m.Name, Version: m.Needs.Version, LeftOut: pick(s, j.findings)}
		for k := range j.findings {
			if f := &j.findings[k]; f.picked {
				if byVersion[m] == nil {
					order = append(order, m)
				}
				byVersion[m] = append(byVersion[m], target{j, m, f})
				step.Inspected++
			}
		}
		j.steps = append(j.steps, step)
	}
	for _, m := range order {
		for batch := range slices.Chunk(byVersion[m], p.cfg.BatchItems) {
			if err := p.inspectBatch(ctx, n, s, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// inspectBatch cuts the crops of one batch and runs the model on them.
func (p *loop) inspectBatch(ctx context.Context, n int, s *laterStep, targets []target) error {
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
			t.record(n, s, m, &outputs[k])
		}
		return nil
	}
	for k, t := range cut { // one that the model fails at must not take its neighbours along
		if err := p.inspectOne(ctx, n, s, t, crops[k]); err != nil {
			return err
		}
	}
	return nil
}

// inspectOne tries one crop, and where the version fails at it another version.
func (p *loop) inspectOne(ctx context.Context, n int, s *laterStep, t target, crop vision.Image) error {
	outputs, first := p.forward(ctx, t.model, []vision.Image{crop}, []*job{t.job})
	if stop := stops(ctx, first); stop != nil {
		return stop
	}
	if first == nil {
		t.record(n, s, t.model, &outputs[0])
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
			t.record(n, s, other, &outputs[0])
			return nil
		}
	}
	t.fails(n, fmt.Errorf("%s version %s: %w", t.model.Name, t.model.Needs.Version, first))
	return nil
}
