package worker

import (
	"context"
	"time"
)

// batcher gathers jobs in order: a batch is full at most items, or when its first has waited for
// age. A job whose picture is not ready in time opens the next batch.
type batcher struct {
	jobs <-chan *job
	most int
	age  time.Duration
	late *job // taken from jobs, but too late for the last batch
}

// next is the next batch, every job of it ready; nil when ctx ends or stop closes first.
func (b *batcher) next(ctx context.Context, stop <-chan struct{}) []*job {
	first := b.late
	b.late = nil
	if first == nil {
		select {
		case first = <-b.jobs:
		case <-stop:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	select {
	case <-first.ready:
	case <-stop:
		return nil
	case <-ctx.Done():
		return nil
	}
	batch := append(make([]*job, 0, b.most), first)
	age := time.NewTimer(b.age)
	defer age.Stop()
	for len(batch) < b.most {
		var j *job
		select {
		case j = <-b.jobs:
		case <-age.C:
			return batch
		case <-stop:
			return batch
		case <-ctx.Done():
			return nil
		}
		select {
		case <-j.ready:
			batch = append(batch, j)
		case <-age.C:
			b.late = j
			return batch
		case <-stop:
			return batch
		case <-ctx.Done():
			return nil
		}
	}
	return batch
}
