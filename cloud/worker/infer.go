package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// infer is the middle stage: it gathers batches and runs the models on them.
func (p *loop) infer(ctx context.Context, jobs <-chan *job, batches chan<- []*job) error {
	b := &batcher{jobs: jobs, most: p.cfg.BatchItems, age: p.cfg.BatchAge}
	for !closed(p.stop) {
		batch := b.next(ctx, p.stop)
		if batch == nil {
			return ctx.Err()
		}
		if err := p.inferAll(ctx, batch); err != nil {
			return err
		}
		select {
		case batches <- batch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// inferAll is inferBatch, where a panic is the fault of the one item that caused it, and frees the pixels.
func (p *loop) inferAll(ctx context.Context, batch []*job) error {
	defer releaseImages(batch)
	err := p.inferOrSplit(ctx, batch)
	if err == nil {
		p.observe(batch)
	}
	return err
}

func (p *loop) inferOrSplit(ctx context.Context, batch []*job) error {
	err := p.shielded(func() error { return p.inferBatch(ctx, batch) })
	var panicked *crashguard.Panic
	if !errors.As(err, &panicked) {
		return err
	}
	if len(batch) == 1 {
		batch[0].poison = poison(stageTransform, "Panic", err)
		return nil
	}
	for _, j := range batch {
		if err := p.inferOrSplit(ctx, []*job{j}); err != nil {
			return err
		}
	}
	return nil
}

// inferBatch runs the models on the batch, each route on its jobs. Poisoned jobs are passed over, and late
// ones where they are to be skipped. The error is not nil only when ctx ended or a model can't be loaded.
func (p *loop) inferBatch(ctx context.Context, batch []*job) error {
	var order []*Route
	byRoute := map[*Route][]*job{}
	for _, j := range batch {
		if j.poison != nil {
			continue
		}
		if j.route == p.Models.focus {
			if err := p.focus(ctx, j); err != nil {
				return err
			}
			continue
		}
		j.model = j.route.versions.versionFor(j.entry.Item.ID)
		defer j.route.versions.release(j.model)
		if p.checkDeadline(j); j.skipped {
			continue
		}
		if byRoute[j.route] == nil {
			order = append(order, j.route)
		}
		byRoute[j.route] = append(byRoute[j.route], j)
	}
	p.metrics.batch.Observe(float64(len(batch)))
	for _, r := range order {
		if err := p.runRoute(ctx, r, byRoute[r]); err != nil {
			return err
		}
	}
	return nil
}

// runRoute takes jobs through a route: its first model's versions, and the later steps of a pipeline.
func (p *loop) runRoute(ctx context.Context, r *Route, jobs []*job) error {
	r.rate.begin()
	defer r.rate.end(len(jobs))
	var order []*Model
	byVersion := map[*Model][]*job{}
	for _, j := range jobs {
		if byVersion[j.model] == nil {
			order = append(order, j.model)
		}
		byVersion[j.model] = append(byVersion[j.model], j)
	}
	for _, m := range order {
		if err := p.runModel(ctx, m, byVersion[m]); err != nil {
			return err
		}
	}
	if len(r.later) == 0 {
		return nil
	}
	seen := slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return j.poison != nil })
	return p.runLaterSteps(ctx, r, seen)
}

// runModel runs one model: on pictures together, on the windows of each tile. When a batch fails, each of its pictures is tried alone, so that one that
// the model fails at does not take its neighbours along.
func (p *loop) runModel(ctx context.Context, m *Model, jobs []*job) error {
	if len(jobs) > 1 && slices.ContainsFunc(jobs, func(j *job) bool { return j.part != nil }) {
		var pictures []*job
		for _, j := range jobs {
			if j.part == nil {
				pictures = append(pictures, j)
			} else if err := p.runModel(ctx, m, []*job{j}); err != nil {
				return err
			}
		}
		if len(pictures) == 0 {
			return nil
		}
		jobs = pictures
	}
	began := time.Now()
	outputs, err := p.look(ctx, m, jobs)
	for _, j := range jobs {
		j.timings.forward = interval{began, time.Now()}
	}
	if stop := stops(ctx, err); stop != nil {
		return stop
	}
	if err != nil && len(jobs) > 1 {
		for _, j := range jobs {
			if err := p.runModel(ctx, m, []*job{j}); err != nil {
				return err
			}
		}
		return nil
	}
	for n, j := range jobs {
		if err != nil {
			item := j.entry.Item
			class := "ModelFailed"
			if errors.Is(err, windows.ErrMask) {
				class = "WrongMask"
			}
			j.poison = poison(stageTransform, class, fmt.Errorf("%s version %s on %s %s: %w", m.Name, m.Needs.Version, item.Kind, item.ID, err))
		} else {
			j.output = outputs[n]
			j.check()
		}
		if j.poison != nil {
			if err := p.tryFallback(ctx, m, j); err != nil {
				return err
			}
		}
	}
	return nil
}

// tryFallback runs another version on what a new one failed at: a version on trial costs no item. Only
// where that fails too the item is at fault.
func (p *loop) tryFallback(ctx context.Context, m *Model, j *job) error {
	other := j.route.versions.fallbackFor(m)
	if other == nil {
		m.stats.fail()
		return nil
	}
	defer j.route.versions.release(other)
	outputs, err := p.look(ctx, other, []*job{j})
	if stop := stops(ctx, err); stop != nil {
		return stop
	}
	if err != nil {
		return nil // it stays poison, with the reason of the first
	}
	first := j.poison
	j.poison, j.model, j.output = nil, other, outputs[0]
	if j.check(); j.poison != nil {
		j.poison, j.model = first, m
		return nil
	}
	m.stats.fail()
	return nil
}

// look has a version look at the pictures of jobs, or at the windows of the tile of one job.
func (p *loop) look(ctx context.Context, m *Model, jobs []*job) ([]vision.Output, error) {
	if j := jobs[0]; j.part != nil {
		mask, err := j.part.Segment(ctx, j.image, j.wanted, p.cfg.BatchItems, func(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
			return p.forward(ctx, m, in, jobs)
		})
		if err == nil {
			j.fillIn(&mask)
		}
		return []vision.Output{{Mask: mask}}, err
	}
	images := make([]vision.Image, len(jobs))
	for n, j := range jobs {
		images[n] = j.image
	}
	return p.forward(ctx, m, images, jobs)
}

// fillIn gives the pixels that were not to be judged the device's classes, or says that nobody judged them.
func (j *job) fillIn(m *vision.Mask) {
	if j.wanted == nil {
		return
	}
	own := vision.Mask{W: m.W, H: m.H, Class: slices.Clone(m.Class)}
	for i, wanted := range j.wanted {
		switch {
		case wanted || j.image.Void != nil && j.image.Void[i] != 0:
		case j.given == nil:
			own.Class[i] = vision.NotJudged
		default:
			own.Class[i] = j.given[i]
		}
	}
	own = own.Sure()
	for i, wanted := range j.wanted {
		if wanted {
			continue
		}
		m.Class[i] = own.Class[i]
		for p, plane := range m.Probabilities {
			if plane[i] = 0; p < len(own.Probabilities) {
				plane[i] = own.Probabilities[p][i]
			}
		}
	}
}

// forward runs a version over images of those jobs and measures it. An error that stops is not the
// images' fault.
func (p *loop) forward(ctx context.Context, m *Model, images []vision.Image, jobs []*job) (outputs []vision.Output, err error) {
	net, err := m.cache.take(ctx, m)
	if err != nil {
		return nil, err
	}
	defer m.cache.give(m)
	began := time.Now()
	m.rate.begin()
	err = p.noted(ctx, jobs, func() (err error) {
		outputs, err = run(ctx, net, images)
		return err
	})
	m.rate.end(len(outputs))
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	p.metrics.inference.WithLabelValues(m.Name).Observe(took.Seconds())
	m.stats.ran(len(images), took)
	return outputs, nil
}

// stops is why the work can't go on, whatever the image; nil where err is about the image, or nil.
func stops(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrUnfit):
		return err
	}
	return nil
}

func run(ctx context.Context, net Network, images []vision.Image) ([]vision.Output, error) {
	outputs, err := net.Run(ctx, images)
	if err == nil && len(outputs) != len(images) {
		err = fmt.Errorf("the network gave %d outputs for %d images", len(outputs), len(images))
	}
	if err != nil {
		return nil, err
	}
	return outputs, nil
}

// check refuses a mask of another size than its picture, and marks pixels without data.
func (j *job) check() {
	m := &j.output.Mask
	if m.Class == nil {
		return
	}
	if m.W != j.image.W || m.H != j.image.H || len(m.Class) != m.W*m.H {
		j.poison = poison(stageTransform, "WrongMask", fmt.Errorf("%s gave a mask of %d x %d (%d pixels) for an image of %d x %d",
			j.model.Name, m.W, m.H, len(m.Class), j.image.W, j.image.H))
		return
	}
	for n, void := range j.image.Void {
		if void != 0 {
			m.Class[n] = vision.NoData
		}
	}
}
