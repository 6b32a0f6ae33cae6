package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/quantise"
)

// choose takes all candidates where they agree together; else one after the other, those first that
// cost the least agreement for their work, each only if all pictures still agree as asked.
func (s *seen) choose(ctx context.Context, j *comparison, r *Result) error {
	asked, log := s.options.Agreement, s.options.Log
	r.Plan.Agreement = model.Agreement{Measure: measure(s.options.Model.Task), Asked: asked, Pictures: len(j.want), Learned: s.options.Pictures - len(j.want)}
	try := func(chosen []*candidate) (bool, float64, error) {
		convs := s.plan(chosen)
		mean, worst, err := j.agreement(ctx, convs)
		if err == nil {
			log.Info("tried in 8 bits", "model", s.options.Model.Name, "convolutions", len(chosen), "last", chosen[len(chosen)-1].Output, "mean", short(float32(mean)), "worst", short(float32(worst)))
		}
		if err != nil || worst < asked {
			return false, mean, err
		}
		r.Plan.Convs, r.Plan.Agreement.Mean, r.Plan.Agreement.Worst = convs, mean, worst
		return true, mean, nil
	}
	keep := func(c *candidate, cost float64) {
		r.Kept = append(r.Kept, Choice{Output: c.Output, Share: c.share, Cost: cost})
	}
	agrees, _, err := try(s.convs)
	if err != nil {
		return err
	}
	if agrees {
		for _, c := range s.convs {
			keep(c, -1)
		}
		return s.finish(r)
	}
	cost := map[*candidate]float64{}
	for _, c := range s.convs {
		_, mean, err := try([]*candidate{c})
		if err != nil {
			return err
		}
		cost[c] = 1 - mean
	}
	order := slices.Clone(s.convs)
	slices.SortStableFunc(order, func(a, b *candidate) int { return cmp.Compare(cost[a]/a.share, cost[b]/b.share) })
	r.Plan.Convs = nil // what one alone left there
	var chosen []*candidate
	for _, c := range order {
		agrees, _, err := try(append(slices.Clone(chosen), c))
		if err != nil {
			return err
		}
		if agrees {
			chosen = append(chosen, c)
			keep(c, cost[c])
		} else {
			r.Float = append(r.Float, Choice{Output: c.Output, Share: c.share, Cost: cost[c], Reason: "costs more agreement than there is to give"})
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("model %s: %w: with each of its %d large convolutions alone some picture was below %g; give more pictures, or a lower --agreement", s.options.Model.Name, ErrDisagrees, len(order), asked)
	}
	return s.finish(r)
}

// finish puts the plan into the file's own order, which does not depend on how it was found.
func (s *seen) finish(r *Result) error {
	slices.SortFunc(r.Plan.Convs, func(a, b model.Int8Conv) int { return cmp.Compare(a.Output, b.Output) })
	a := &r.Plan.Agreement
	a.Mean, a.Worst = math.Floor(a.Mean*1e6)/1e6, math.Floor(a.Worst*1e6)/1e6
	return nil
}

// trialInput is the golden case's input, or a formula's over what the network sees of ordinary pixels.
func trialInput(m model.Model) model.GoldenInput {
	if m.Case != nil {
		return m.Case.Input
	}
	spec := m.Input
	w, h := max(spec.MultipleOf, 320/max(spec.MultipleOf, 1)*spec.MultipleOf), 0
	if h = w; len(spec.Size) == 2 {
		w, h = spec.Size[0], spec.Size[1]
	}
	in := model.GoldenInput{Shape: []int{1, spec.Channels(), h, w}, Layout: spec.Layout}
	top := 255.0
	if len(spec.Bands) > 0 {
		top = 1
	}
	for c := range spec.Channels() {
		scale, offset := spec.Affine(c)
		in.Low, in.High = min(in.Low, float32(offset)), max(in.High, float32(top*scale+offset))
	}
	return in
}

const (
	samples = 64
	// nudge is by how much the golden input is stretched to see how far rounding carries: engines differ
	// in the last bits of float sums, by less than that, and each may put a value on the next of 256 steps.
	nudge = 1e-4
)

// golden is what the network in 8 bits gives for the golden input. The tolerance is what it moves by
// when its input moves by a trifle, doubled: tight enough to find a processor that adds wrongly.
func golden(o Options, data []byte, plan model.Int8) (model.Golden, error) {
	small, err := quantise.Rewrite(data, plan)
	if err != nil {
		return model.Golden{}, err
	}
	raw, err := o.openRaw(small, 1)
	if err != nil {
		return model.Golden{}, err
	}
	defer raw.Close()
	g := model.Golden{Input: trialInput(o.Model), Made: plan.Made}
	out, err := raw.Golden(g.Input)
	if err != nil {
		return g, err
	}
	for _, t := range out {
		w := model.GoldenOutput{Name: t.Name, Shape: slices.Clone(t.Shape)}
		if o.Model.Case != nil {
			for _, k := range o.Model.Case.Outputs {
				if k.Name == t.Name {
					w.At = k.At
				}
			}
		}
		if w.At == nil {
			for at := 0; at < len(t.Data); at += max(len(t.Data)/samples, 1) {
				w.At = append(w.At, at)
			}
		}
		for _, at := range w.At {
			w.Values = append(w.Values, t.Data[at])
		}
		g.Outputs = append(g.Outputs, w)
	}
	moved := g.Input
	moved.Low, moved.High = moved.Low*(1+nudge), moved.High*(1+nudge)
	if out, err = raw.Golden(moved); err != nil {
		return g, err
	}
	share := 0.0
	for i, t := range out {
		w := g.Outputs[i]
		largest := 0.0
		for _, v := range w.Values {
			largest = max(largest, math.Abs(float64(v)))
		}
		for k, at := range w.At {
			share = max(share, math.Abs(float64(t.Data[at])-float64(w.Values[k]))/max(largest, 1e-9))
		}
	}
	g.Tolerance = model.Tolerance{Abs: 1e-4, Share: math.Ceil(max(2*share, 5e-3)*1e4) / 1e4, Rel: 5e-3}
	return g, nil
}
