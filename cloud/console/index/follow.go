package index

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// followed are the topics that the index is made of.
var followed = []string{event.EventsTopic, event.ResultsTopic, event.ProductsTopic, event.DLQTopic}

// reach says whether Kafka can be reached, for people to see.
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

// Kafka says since when Kafka can be reached, or can't and why.
func (x *Index) Kafka() (since time.Time, err error) { return x.reach.get() }

func (r *reach) get() (since time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.since, r.err
}

// How often the connection is looked at, and the waits between tries.
const (
	lookEvery = 3 * time.Second
	lookLimit = 5 * time.Second
	firstWait = 200 * time.Millisecond
	mostWait  = 10 * time.Second
)

// Follow keeps up with Kafka until ctx ends. When Kafka is not the one that the index was made from, all of it is
// read anew.
func (x *Index) Follow(ctx context.Context) error {
	for {
		err := x.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, kafka.ErrOffsetAhead) {
			return err
		}
		x.o.Logger.Warn("the console's index is made anew: this Kafka is not the one that it was made from", telemetry.Err, err)
		if err := x.forget(ctx); err != nil {
			return err
		}
	}
}

// follow follows every partition. A Kafka that is away is waited for.
func (x *Index) follow(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return x.watch(ctx) })
	for _, topic := range followed {
		group.Go(func() error {
			partitions := 0
			err := x.retryUntil(ctx, "the console's look-up of topic "+topic, func() (err error) {
				partitions, err = x.o.Log.Partitions(ctx, topic)
				return err
			})
			if err != nil {
				return err
			}
			for p := range partitions {
				group.Go(func() error {
					return x.retryUntil(ctx, fmt.Sprintf("the console's reading of %s, partition %d", topic, p), func() error { return x.partition(ctx, topic, p) })
				})
			}
			return nil
		})
	}
	return group.Wait()
}

func (x *Index) partition(ctx context.Context, topic string, p int) error {
	from, err := x.next(ctx, topic, p)
	if err != nil {
		return err
	}
	return x.o.Log.Read(ctx, topic, p, from, func(records []kafka.Record) error { return x.apply(ctx, records) })
}

// watch asks Kafka now and then whether it is there: a reader that waits does not say.
func (x *Index) watch(ctx context.Context) error {
	tick := time.NewTicker(x.o.Every)
	defer tick.Stop()
	for {
		ask, cancel := context.WithTimeout(ctx, lookLimit)
		_, err := x.o.Log.Offsets(ask, event.ProductsTopic)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		x.o.Step()
		if x.reach.set(err) {
			if err != nil {
				x.o.Logger.Warn("Kafka can't be reached; the console's pages show what was known", telemetry.Err, err)
			} else {
				x.o.Logger.Info("Kafka can be reached again")
			}
			x.Notices.Add(Notice{What: AboutEdge})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// insist does something until it succeeds or ctx ends, and logs the first failure of a row. A Kafka that is
// not the one of the index ends it.
func (x *Index) retryUntil(ctx context.Context, what string, do func() error) error {
	return retry.Task{First: firstWait, Most: mostWait,
		Final: func(err error) bool { return errors.Is(err, kafka.ErrOffsetAhead) },
		Tell: func(err error) bool {
			if x.o.Disk.Blames(err) {
				return false
			}
			x.o.Logger.Warn(what+" failed and is tried again", telemetry.Err, err)
			return true
		}}.Do(ctx, do)
}

// Behind is how many records of the followed topics the index has not taken in yet.
func (x *Index) Behind(ctx context.Context) (n int64, err error) {
	for _, topic := range followed {
		ranges, err := x.o.Log.Offsets(ctx, topic)
		if err != nil {
			return n, err
		}
		for p, r := range ranges {
			next, err := x.next(ctx, topic, p)
			if err != nil {
				return n, err
			}
			n += max(r.End-max(next, r.First), 0)
		}
	}
	return n, nil
}
