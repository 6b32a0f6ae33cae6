package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// job is an entry on its way through a partition's loop. It ends with either a result or a poison.
type job struct {
	entry    queue.Entry
	ready    chan struct{} // closed when image or poison is set
	image    vision.Image
	part     *windows.Part // of a tile that the first model looks at window by window
	wanted   []bool        // pixels of it; nil: all
	given    []byte        // the device's classes of the other pixels; nil: it has none
	route    *Route        // what is done with it
	model    *Model        // the version that has seen it
	output   vision.Output
	findings []Finding    // of a pipeline
	steps    []StepReport // likewise
	due      time.Time    // zero: it is not late
	skipped  bool         // for being late
	poison   *Poison
	alone    bool // nothing else is in hand, of any partition
	timings  timings
	turn     *turn           // in taking memory; nil: it is alone
	giveBack func()          // the memory of image; nil: it has none
	place    ground.Place    // of a tile; without a system: it is not known, or nobody asks
	overview ground.Overview // of its ground; empty: there is none

	// Of raw radar echoes, which take another way than pictures (focus.go).
	block    []byte // as it came, until it is focused
	focused  Focused
	giveRows func() // the memory of block and rows; nil: they have none
}

// Poison is why an entry can't be worked on.
type Poison struct {
	Stage string // Kafka Connect's name of the stage it failed in
	Class string // the kind of failure, as a class name; dead letters have it, so it keeps its name
	Err   error
}

func (p *Poison) Error() string { return p.Err.Error() }
func (p *Poison) Unwrap() error { return p.Err }

// Stages, named as Kafka Connect names its own.
const (
	stageConsume   = deadletter.StageConsume
	stageConvert   = deadletter.StageConvert
	stageTransform = deadletter.StageTransform
)

func poison(stage, class string, err error) *Poison {
	return &Poison{Stage: stage, Class: "cloudcanvas.worker." + class, Err: err}
}

// prepare fetches, verifies and decodes the job's data, and picks its model. The error is not nil
// only when ctx ended or the worker is unfit: what is wrong with the entry is in job.poison.
func (w *Worker) prepare(ctx context.Context, j *job) error {
	err := w.shielded(func() error { return w.load(ctx, j) })
	var p *crashguard.Panic
	if errors.As(err, &p) {
		j.poison = poison(stageConvert, "Panic", err)
		return nil
	}
	return err
}

func (w *Worker) load(ctx context.Context, j *job) error {
	j.timings.decode.from = time.Now()
	defer func() { j.timings.decode.to = time.Now() }()
	defer j.turn.pass(ctx) // also of one that needs no memory
	if j.entry.Err != nil {
		j.poison = poison(stageConsume, "Unreadable", j.entry.Err)
		return nil
	}
	item := &j.entry.Item
	if item.Attrs.Want == "" {
		j.poison = poison(stageConsume, "Unasked", fmt.Errorf("%s %s does not say what is wanted of it (want)", item.Kind, item.ID))
		return nil
	}
	if err := item.CheckContent(); err != nil {
		j.poison = poison(stageConsume, "OutOfBounds", err)
		return nil
	}
	if item.Attrs.DataRef != "" { // an object is large: it is fetched when the one before has its memory
		if err := j.turn.await(ctx); err != nil {
			return err
		}
	}
	data, err := w.fetch(ctx, item)
	if err != nil {
		return j.blame(err)
	}
	if event.Sum(data) != item.SHA256 {
		j.poison = poison(stageConvert, "WrongDigest", fmt.Errorf("%w: %d bytes of %s %s, promised %s", event.ErrDigest, len(data), item.Kind, item.ID, item.SHA256))
		return nil
	}
	if item.Type == linktile.RefinementType {
		if data, err = w.refined(ctx, item, data); err != nil {
			return j.blame(err)
		}
	}
	if item.Type == sar.EchoesType || item.Attrs.Want == sar.WantFocus {
		return w.admitBlock(ctx, j, data)
	}
	if err := w.admit(ctx, j, data); err != nil || j.poison != nil {
		return err
	}
	if err := w.decode(ctx, j, data); err != nil || j.poison != nil {
		return err
	}
	w.locate(j, data)
	j.route, err = w.Models.Pick(item, &j.image)
	if err != nil {
		j.poison = poison(stageTransform, "NoModel", err)
		return nil
	}
	if !j.route.masks(item) {
		j.part, j.wanted, j.given = nil, nil, nil
	}
	if j.image.Pix == nil && len(j.route.versions.bands) == 0 {
		j.image = picture(&j.image, j.route.white)
	}
	return nil
}

// blame puts a poison on the job and passes any other error on.
func (j *job) blame(err error) error {
	var p *Poison
	if errors.As(err, &p) {
		j.poison = p
		return nil
	}
	return err
}

// refined is a refinement with the tile that it refines, which went before and lies in the object store.
func (w *Worker) refined(ctx context.Context, item *event.Item, refinement []byte) ([]byte, error) {
	base := *item
	base.Attrs.DataRef = event.BaseKey(item)
	data, err := w.fetch(ctx, &base)
	var p *Poison
	if errors.As(err, &p) {
		p.Err = fmt.Errorf("%w: it is the tile that this refines; ask the device for the whole tile", p.Err)
	}
	if err != nil {
		return nil, err
	}
	return linktile.Pair(data, refinement), nil
}

// fetch is the item's data, from the record or from the object store. A store that is away is
// waited for: that is not the item's fault.
func (w *Worker) fetch(ctx context.Context, item *event.Item) (data []byte, err error) {
	ref := item.Attrs.DataRef
	if ref == "" {
		return item.Data, nil
	}
	var tooLarge error
	err = w.retry(ctx, "fetching from the object store", func() error {
		data, err = w.Objects.Get(ctx, ref)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if errors.Is(err, event.ErrTooLarge) { // however often it is asked for
			tooLarge = err
			return nil
		}
		return err
	})
	switch {
	case tooLarge != nil:
		return nil, poison(stageConvert, "TooLarge", fmt.Errorf("%w (worker.object_bytes)", tooLarge))
	case err != nil:
		return nil, err
	case data == nil:
		return nil, poison(stageConvert, "NoObject", fmt.Errorf("the object store has no %q, which %s %s refers to", ref, item.Kind, item.ID))
	case int64(len(data)) > w.cfg.ObjectBytes:
		return nil, poison(stageConvert, "TooLarge", fmt.Errorf("%q has %d bytes, %d is the limit (worker.object_bytes)", ref, len(data), w.cfg.ObjectBytes))
	}
	return data, nil
}

// decode makes the picture. Only as many as there are cores decode at once.
func (w *Worker) decode(ctx context.Context, j *job, data []byte) error {
	select {
	case w.cores <- struct{}{}:
		defer func() { <-w.cores }()
	case <-ctx.Done():
		return ctx.Err()
	}
	item := &j.entry.Item
	err := w.noted(ctx, []*job{j}, func() error {
		p, err := w.Decoder.Decode(item.Type, data)
		j.image, j.part, j.wanted, j.given = p.Image, p.Part, p.Wanted, p.Given
		return err
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, crashguard.ErrQuarantined) {
		j.poison = poison(stageTransform, "Deadly", err)
		return nil
	}
	if err != nil {
		j.poison = poison(stageConvert, "Undecodable", fmt.Errorf("decoding %s %s (%s, %d bytes): %w", item.Kind, item.ID, item.Type, len(data), err))
	}
	return nil
}

// What is done with late items.
const (
	LateDo   = "do"
	LateSkip = "skip"
)

// deadline is when an item is late: what it says itself, or its age by the route's bound or the
// worker's, whichever is sooner; zero: never. The age is by the clock of the edge that made it.
func (w *Worker) deadline(item *event.Item, r *Route) time.Time {
	most := w.cfg.MaxAge
	if r.maxAge > 0 {
		most = r.maxAge
	}
	due := item.Attrs.Expires
	if most > 0 && !item.Time.IsZero() {
		if aged := item.Time.Add(most); due.IsZero() || aged.Before(due) {
			due = aged
		}
	}
	return due
}

// checkDeadline says of a job that is next whether it is late, and whether it is to be skipped.
func (w *Worker) checkDeadline(j *job) {
	due := w.deadline(&j.entry.Item, j.route)
	if due.IsZero() || !w.now().After(due) {
		return
	}
	j.due, j.skipped = due, w.cfg.Late == LateSkip
}

func (j *job) late() bool { return !j.due.IsZero() }
