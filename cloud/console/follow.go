package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/telemetry"
)

// followed are the topics that the index is made of.
var followed = []string{event.EventsTopic, event.ResultsTopic, event.ProductsTopic, event.DLQTopic}

// reach is how the console stands with Kafka, for people to see.
type reach struct {
	mu    sync.Mutex
	since time.Time
	err   error
}

func (r *reach) set(err error) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed = (err == nil) != (r.err == nil)
	if changed || r.since.IsZero() {
		r.since = time.Now()
	}
	r.err = err
	return changed
}

func (r *reach) get() (since time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.since, r.err
}

// follower keeps the index up with Kafka.
type follower struct {
	log   Log
	fold  fold
	reach *reach
	slog  *slog.Logger
	step  func() // after each look at Kafka, whatever came of it
	every time.Duration
}

// How often the connection is looked at, and the waits between tries.
const (
	lookEvery = 3 * time.Second
	lookLimit = 5 * time.Second
	firstWait = 200 * time.Millisecond
	mostWait  = 10 * time.Second
)

// run keeps up until ctx ends. When Kafka is not the one that the index was made from, all of it is
// read anew.
func (f follower) run(ctx context.Context) error {
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, kafka.ErrOffsetAhead) {
			return err
		}
		f.slog.Warn("the console's index is made anew: Kafka is not the one that it was made from", telemetry.Err, err)
		if err := f.fold.forget(ctx); err != nil {
			return err
		}
	}
}

// follow follows every partition. A Kafka that is away is waited for.
func (f follower) follow(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.watch(ctx) })
	for _, topic := range followed {
		group.Go(func() error {
			partitions := 0
			err := f.insist(ctx, "finding "+topic, func() (err error) {
				partitions, err = f.log.Partitions(ctx, topic)
				return err
			})
			if err != nil {
				return err
			}
			for p := range partitions {
				group.Go(func() error {
					return f.insist(ctx, fmt.Sprintf("following %s, partition %d", topic, p), func() error { return f.partition(ctx, topic, p) })
				})
			}
			return nil
		})
	}
	return group.Wait()
}

func (f follower) partition(ctx context.Context, topic string, p int) error {
	from, err := f.fold.next(ctx, topic, p)
	if err != nil {
		return err
	}
	return f.log.Read(ctx, topic, p, from, func(records []kafka.Record) error { return f.fold.apply(ctx, records) })
}

// watch asks Kafka now and then whether it is there: a reader that waits does not say.
func (f follower) watch(ctx context.Context) error {
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		ask, cancel := context.WithTimeout(ctx, lookLimit)
		_, err := f.log.Offsets(ask, event.ProductsTopic)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		f.step()
		if f.reach.set(err) {
			if err != nil {
				f.slog.Warn("Kafka can't be reached; pages show what was known", telemetry.Err, err)
			} else {
				f.slog.Info("Kafka is there again")
			}
			f.fold.tell(Notice{What: aboutEdge, Time: time.Now()})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// insist does something until it succeeds or ctx ends; it tells the first failure of a row. A wrong
// Kafka is not insisted on.
func (f follower) insist(ctx context.Context, what string, do func() error) error {
	told := false
	for wait := firstWait; ; wait = min(2*wait, mostWait) {
		err := do()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, kafka.ErrOffsetAhead) {
			return err
		}
		if ofDisk := f.fold.disk.Blames(err); !told && !ofDisk {
			f.slog.Warn(what+" failed, trying again", telemetry.Err, err)
			told = true
		}
		pause := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
}
