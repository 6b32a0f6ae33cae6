package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/vision"
)

// turn orders the jobs of a partition in taking memory. A job that took it before an earlier one would
// hold what the earlier one waits for, and neither would ever be in a batch.
type turn struct {
	before <-chan struct{} // closed when the job before has its memory, or needs none; nil: there is none
	over   chan struct{}   // closed when this one has
	once   sync.Once
}

// after is the turn of the job that follows.
func (t *turn) after() *turn { return &turn{before: t.over, over: make(chan struct{})} }

// firstTurn comes before that of the first job.
func firstTurn() *turn {
	t := &turn{over: make(chan struct{})}
	close(t.over)
	return t
}

// await waits for the job before.
func (t *turn) await(ctx context.Context) error {
	if t == nil || t.before == nil {
		return nil
	}
	select {
	case <-t.before:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass lets the next one have its turn, once this one's has come.
func (t *turn) pass(ctx context.Context) {
	if t != nil && t.await(ctx) == nil {
		t.once.Do(func() { close(t.over) })
	}
}

// aheadBytes bounds, for each core, the pictures that are decoded and wait for a model, whatever all decoders
// may have: of small tiles it is a few batches, of large ones the one that is next. What is larger by itself
// is alone.
const aheadBytes = 64 << 20

// admit takes the memory for the job's picture out of what all decoders of the process may have. What is
// larger than all of it is the item's fault. The error is not nil only when ctx ended, which gives the
// memory back too: nobody may be left who would.
func (w *Worker) admit(ctx context.Context, j *job, data []byte) error {
	item := &j.entry.Item
	var size int64
	err := w.shielded(func() (err error) {
		size, err = w.Decoder.Size(item.Type, data)
		return err
	})
	if err == nil {
		err = w.Memory.Check(size)
	}
	if errors.Is(err, budget.ErrTooLarge) {
		j.poison = poison(stageConvert, "TooLarge", fmt.Errorf("%s %s (%s, %d bytes): %w", item.Kind, item.ID, item.Type, len(data), err))
		return nil
	}
	if err != nil {
		j.poison = poison(stageConvert, "Undecodable", fmt.Errorf("decoding %s %s (%s, %d bytes): %w", item.Kind, item.ID, item.Type, len(data), err))
		return nil
	}
	if err := j.turn.await(ctx); err != nil {
		return err
	}
	give, err := w.Memory.Take(ctx, size)
	if err != nil {
		return err
	}
	ready, err := w.ahead.Take(ctx, min(size, w.ahead.Size()))
	if err != nil {
		give()
		return err
	}
	giveBoth := func() { ready(); give() }
	j.turn.pass(ctx)
	forget := context.AfterFunc(ctx, giveBoth)
	j.giveBack = func() { forget(); giveBoth() }
	return nil
}

// releaseImages frees the pixels of jobs that no model needs any more, and gives their memory back.
func releaseImages(jobs []*job) {
	for _, j := range jobs {
		j.image = vision.Image{W: j.image.W, H: j.image.H}
		j.release()
	}
}

// releaseRows gives back the memory of rows whose results are durable.
func releaseRows(jobs []*job) {
	for _, j := range jobs {
		j.block, j.focused = nil, Focused{}
		if j.giveRows != nil {
			j.giveRows()
		}
	}
}

func (j *job) release() {
	if j.giveBack != nil {
		j.giveBack()
	}
}
