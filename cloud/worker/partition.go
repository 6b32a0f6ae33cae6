package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// work is the loop of one partition under one lease: it ends with ctx (the lease is gone: stop at
// once) or with stop (finish the batch in hand and leave).
func (w *Worker) work(ctx context.Context, stop <-chan struct{}, l lease, partition int) error {
	from, err := w.Queue.Committed(ctx, event.WorkTopic, partition)
	if err != nil {
		return fmt.Errorf("reading the committed offset of partition %d: %w", partition, err)
	}
	log := w.Log.With("partition", partition, "lease", l.Epoch())
	log.Info("the worker has taken a partition", "offset", from)
	// Of a partition that is given back in good order nothing new is suspected. Without the lease nothing may be noted.
	leave := ""
	defer func() {
		if !errors.Is(context.Cause(ctx), coord.ErrLost) {
			noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := l.Note(noting, leave); err != nil {
				log.Warn("the worker could not leave a note beside its lease", telemetry.Err, err)
			}
		}
		log.Info("the worker has given a partition back")
	}()

	p := &loop{Worker: w, lease: l, held: ctx, partition: partition, stop: stop}
	s := suspect(l.Previous(), w.run, from, w.window)
	if s.until > from {
		log.Warn("the partition's owner before crashed; the worker takes the items that it may have had in hand one by one", "from", from, "until", s.until)
		if from, err = p.careful(ctx, from, s); from < s.until {
			leave = s.note(from).String()
		}
		if err != nil || closed(stop) {
			return err
		}
	}
	return p.flow(ctx, from)
}

// loop is a partition being worked on.
type loop struct {
	*Worker
	lease     lease
	held      context.Context // of the lease: its Err asks the clock
	partition int
	stop      <-chan struct{}
	working   sync.Once
	inHand    atomic.Int64 // slots taken and not yet given back
}

// flow is the pipeline: three stages side by side, so that decoding, inference and writing overlap.
// What was read ahead and not begun when it ends is left to the next owner.
func (p *loop) flow(ctx context.Context, from int64) error {
	jobs := make(chan *job, p.window)
	batches := make(chan []*job, 1)
	stages, ctx := errgroup.WithContext(ctx)
	stages.Go(func() error { return p.read(ctx, from, jobs, stages) })
	stages.Go(func() error {
		defer close(batches)
		return p.infer(ctx, jobs, batches)
	})
	stages.Go(func() error {
		for batch := range batches {
			if err := p.finish(ctx, batch); err != nil {
				return err
			}
			p.give(len(batch))
		}
		return nil
	})
	err := stages.Wait()
	p.give(int(p.inHand.Load()))
	return err
}

// take waits for room for one more item in hand.
func (p *loop) take(ctx context.Context) error {
	err := p.slots.Acquire(ctx, 1)
	if err == nil {
		p.inHand.Add(1)
	}
	return err
}

func (p *loop) give(n int) {
	p.inHand.Add(int64(-n))
	p.slots.Release(int64(n))
}

// read feeds jobs in the order of the partition and has them decoded side by side. It blocks while
// the worker has its fill in hand.
func (p *loop) read(ctx context.Context, from int64, jobs chan<- *job, stages *errgroup.Group) error {
	reading, cancel := whileOpen(ctx, p.stop)
	defer cancel()
	turn := firstTurn()
	err := p.Queue.Read(reading, event.WorkTopic, p.partition, from, func(entries []queue.Entry) error {
		for _, e := range entries {
			if e.Offset < from { // a log hands out whole batches, which may begin earlier
				continue
			}
			if p.Attempts.Suspect(attemptKey(&e.Item)) {
				if err := p.apart(reading, e); err != nil {
					return err
				}
				from = e.Offset + 1
				continue
			}
			if err := p.take(reading); err != nil {
				return err
			}
			if err := p.begin(reading, e.Offset); err != nil {
				return err
			}
			turn = turn.after()
			j := &job{entry: e, ready: make(chan struct{}), turn: turn}
			stages.Go(func() error {
				err := p.prepare(reading, j)
				switch {
				case err == nil:
					close(j.ready)
				case reading.Err() != nil:
					return nil // given up: it is never ready, and nobody waits for it any more
				}
				return err
			})
			jobs <- j // never blocks: as many places as slots
			from = e.Offset + 1
		}
		return nil
	})
	if closed(p.stop) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading partition %d from offset %d: %w", p.partition, from, err)
	}
	return fmt.Errorf("reading partition %d ended at offset %d", p.partition, from)
}

// begin notes, before the first entry is touched, that work is going on under this lease.
func (p *loop) begin(ctx context.Context, offset int64) (err error) {
	p.working.Do(func() {
		if e := p.lease.Note(ctx, note{Run: p.run, From: offset}.String()); e != nil {
			err = fmt.Errorf("noting that work begins at offset %d: %w", offset, e)
		}
	})
	return err
}

// errEnough ends a read that has all it wanted.
var errEnough = errors.New("enough read")

// careful works one by one on what the owner before may have had in hand, and gives the offset
// from which flow may go on.
func (p *loop) careful(ctx context.Context, from int64, s suspicion) (int64, error) {
	reading, cancel := whileOpen(ctx, p.stop)
	defer cancel()
	err := p.Queue.Read(reading, event.WorkTopic, p.partition, from, func(entries []queue.Entry) error {
		for _, e := range entries {
			if e.Offset < from {
				continue
			}
			if e.Offset >= s.until || reading.Err() != nil {
				return errEnough
			}
			at := e.Offset
			n := note{Run: p.run, From: from, At: &at, Until: s.until}
			if at == s.at {
				n.Tries = s.runs
			}
			if err := p.alone(ctx, e, n); err != nil {
				return err
			}
			if from = at + 1; from >= s.until {
				return errEnough
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough), closed(p.stop):
		return from, nil
	case err == nil:
		err = errors.New("the log's reader ended")
	}
	return from, fmt.Errorf("working carefully on partition %d at offset %d: %w", p.partition, from, err)
}

// alone takes one entry through all stages while the worker has nothing else in hand, of any
// partition: when it crashes on this one, no other is suspected.
func (p *loop) alone(ctx context.Context, e queue.Entry, n note) error {
	if err := p.slots.Acquire(ctx, p.window); err != nil {
		return err
	}
	defer p.slots.Release(p.window)
	j := &job{entry: e, alone: true}
	if len(n.Tries) > 0 {
		var guilty error
		if n.Tries, guilty = p.checkExits(ctx, n.Tries, &e); guilty != nil {
			j.poison = poison(stageTransform, "Deadly", guilty)
		}
	}
	if err := p.lease.Note(ctx, n.String()); err != nil {
		return fmt.Errorf("noting that offset %d is in hand: %w", e.Offset, err)
	}
	if j.poison == nil {
		if err := p.prepare(ctx, j); err != nil {
			return err
		}
	}
	batch := []*job{j}
	if err := p.inferAll(ctx, batch); err != nil {
		return err
	}
	return p.finish(ctx, batch)
}

// apart is alone in the midst of flow: for what this machine's attempts suspect.
func (p *loop) apart(ctx context.Context, e queue.Entry) error {
	at := e.Offset
	if err := p.alone(ctx, e, note{Run: p.run, From: at, At: &at, Until: at + 1}); err != nil {
		return err
	}
	if err := p.lease.Note(ctx, note{Run: p.run, From: at + 1}.String()); err != nil {
		return fmt.Errorf("noting that work goes on at offset %d: %w", at+1, err)
	}
	return nil
}
