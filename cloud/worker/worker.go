// Package worker does the heavy work: it owns partitions of canvas.work and runs models on the items
// in them. A partition is a loop under a lease:
//
//	Own ─▶ committed offset ─▶ read ─▶ fetch, verify, decode ─▶ batch ─▶ infer ─▶ results ─▶ offset
//	                            └──────── at most Prefetch items in hand ────────────┘
//
// Results are durable before the offset moves, so a worker that dies leaves nothing behind that the
// next one does not do again; result ids are derived from the inputs, so what is done twice is
// recognised. What can't be worked on goes to the dead letters with its reason, and the rest flows.
package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
)

// Parts are what a worker is made of.
type Parts struct {
	Queue       queue.Queue // of canvas.work
	Results     Results
	Dead        queue.DeadLetters
	Objects     queue.Objects // may be nil where all data is inline
	Decoder     Decoder
	Focuser     Focuser       // of raw radar echoes; nil: they become dead letters
	Views       Views         // of the ground, which Decoder must be able to place; nil: none are made
	Memory      *budget.Bytes // of all decoders of the process; nil: without bound
	Models      *Registry
	Leases      Leases
	Assignments Assignments
	Attempts    *crashguard.Guard // of this process; nil: an item that crashes it is not told from those beside it
	ExitReports coord.Document    // where workers report how they ended; nil: nowhere
	Log         *slog.Logger
	Metrics     prometheus.Registerer // may be nil
	Trace       *trace.Tracer         // nil: no spans
}

// Worker owns partitions and works on them.
type Worker struct {
	cfg Config
	Parts
	run     string              // names this process's life in the notes of its leases
	slots   *semaphore.Weighted // one for each item in hand, all of them for one that is alone
	window  int64               // how many there are
	cores   chan struct{}       // one for each item being decoded
	ahead   *budget.Bytes       // of the pictures that are decoded
	metrics *metrics
	pause   func(context.Context, time.Duration) error
	now     func() time.Time
}

// New makes a worker. Run starts it.
func New(cfg Config, parts Parts) (*Worker, error) {
	cfg = cfg.withDefaults()
	if err := config.Check("worker", cfg); err != nil {
		return nil, err
	}
	if parts.Log == nil {
		parts.Log = slog.New(slog.DiscardHandler)
	}
	if parts.Objects == nil {
		parts.Objects = queue.NoObjects{}
	}
	m, err := newMetrics(parts.Metrics, parts.Models)
	if err != nil {
		return nil, fmt.Errorf("registering the worker's metrics: %w", err)
	}
	window := int64(max(cfg.Prefetch, cfg.BatchItems))
	run := parts.Attempts.RunID()
	if run == "" {
		run = rand.Text()
	}
	return &Worker{
		cfg: cfg, Parts: parts, run: run, metrics: m, pause: retry.Sleep, now: time.Now,
		slots: semaphore.NewWeighted(window), window: window,
		cores: make(chan struct{}, runtime.GOMAXPROCS(0)), ahead: budget.New(int64(runtime.GOMAXPROCS(0)) * aheadBytes),
	}, nil
}

// holding is a partition that should be owned. Closing stop asks its loop to finish and leave.
type holding struct {
	stop chan struct{}
}

// Run owns and works on what it is assigned until ctx ends; then it finishes the batches in hand
// and leaves within the grace. The error is not nil when the worker itself is unfit: a model that
// can't be loaded, or no assignments.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.reportLastExit(ctx); err != nil {
		return nil // it is to stop
	}
	mine, err := w.Assignments.Mine(ctx)
	if err != nil {
		return fmt.Errorf("reading which partitions are assigned: %w", err)
	}
	var all sync.WaitGroup
	unfit := make(chan error, 1)
	held := map[int]holding{}
	defer func() {
		for _, h := range held {
			close(h.stop)
		}
		all.Wait()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-unfit:
			return err
		case partitions, ok := <-mine:
			if !ok {
				if ctx.Err() != nil {
					return nil
				}
				return errors.New("the assignment of partitions ended; is the coordinator still there?")
			}
			w.follow(ctx, held, partitions, &all, unfit)
		}
	}
}

// follow leaves what is no longer assigned and takes up what is new.
func (w *Worker) follow(ctx context.Context, held map[int]holding, partitions []int, all *sync.WaitGroup, unfit chan<- error) {
	wanted := map[int]bool{}
	for _, p := range partitions {
		wanted[p] = true
	}
	for p, h := range held {
		if !wanted[p] {
			close(h.stop)
			delete(held, p)
		}
	}
	for p := range wanted {
		if _, ok := held[p]; ok {
			continue
		}
		h := holding{stop: make(chan struct{})}
		held[p] = h
		all.Go(func() {
			if err := w.hold(ctx, h.stop, p); err != nil {
				select {
				case unfit <- err:
				default:
				}
			}
		})
	}
	w.metrics.partitions.Set(float64(len(held)))
}

// LeaseName is what a worker owns to work on a partition.
func LeaseName(partition int) string { return fmt.Sprintf("%s-%d", event.WorkTopic, partition) }

// hold owns the partition, again after each loss, until stop closes.
func (w *Worker) hold(ctx context.Context, stop <-chan struct{}, partition int) error {
	log := w.Log.With("partition", partition)
	wait := backoff{first: 200 * time.Millisecond, most: 10 * time.Second}
	for {
		began := time.Now()
		err := w.own(ctx, stop, partition)
		switch {
		case closed(stop):
			return nil
		case errors.Is(err, ErrUnfit):
			return err
		case err != nil && !errors.Is(err, context.Canceled):
			log.Warn("the worker failed on a partition, and tries again", telemetry.Err, err)
		}
		if time.Since(began) > time.Minute {
			wait.reset()
		}
		resting, cancel := whileOpen(ctx, stop)
		w.pause(resting, wait.next())
		cancel()
	}
}

// own holds the lease once. When stop closes it goes on for at most the grace, so that the batch in
// hand is finished; before it has the lease, it stops waiting at once.
func (w *Worker) own(ctx context.Context, stop <-chan struct{}, partition int) error {
	leasing, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	had, over := make(chan struct{}), make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-stop:
		case <-over:
			return
		}
		if closed(had) {
			grace := time.NewTimer(w.cfg.Grace)
			defer grace.Stop()
			select {
			case <-grace.C:
			case <-over:
			}
		}
		release()
	})
	err := w.Leases.Own(leasing, LeaseName(partition), func(ctx context.Context, l lease) error {
		close(had)
		return w.work(ctx, stop, l, partition)
	})
	close(over)
	watch.Wait()
	return err
}
