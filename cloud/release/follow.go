package release

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/telemetry"
)

// Stage is where versions run: a worker's models. The version "" is the shipped one.
type Stage interface {
	// Add loads a version beside what runs and tries it on its golden case. Adding one again does nothing.
	Add(ctx context.Context, name, version string, m model.Model) error
	// Use switches to versions that were added, between batches, and frees the others.
	Use(name, current, canary, fallback string, share float64) error
	Stats(name, version string) Stats
}

// Follower keeps a worker's models as the plans say, and takes back what does worse than before.
type Follower struct {
	Group   Group
	Library Library
	Stage   Stage
	Dir     string        // versions are fetched into it
	By      string        // this worker, for reasons
	Look    time.Duration // how often stats are compared; 0: 2 s
	Trial   time.Duration // how long a promoted version is compared with the one before; 0: 10 min
	Settled func()        // called once every model runs as its plan says; may be nil
	Log     *slog.Logger
}

// Run follows the plans of these models until ctx ends.
func (f Follower) Run(ctx context.Context, names ...string) error {
	if f.Look == 0 {
		f.Look = 2 * time.Second
	}
	if f.Trial == 0 {
		f.Trial = 10 * time.Minute
	}
	var waiting atomic.Int64
	waiting.Store(int64(len(names)))
	settled := func() {
		if waiting.Add(-1) <= 0 && f.Settled != nil {
			f.Settled()
		}
	}
	if len(names) == 0 {
		settled()
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		group.Go(func() error { return f.follow(ctx, name, sync.OnceFunc(settled)) })
	}
	return group.Wait()
}

// follow keeps one model. first is called when it runs as its plan says.
func (f Follower) follow(ctx context.Context, name string, first func()) error {
	plans, err := f.Group.Document(below + "/" + name).Watch(ctx)
	if err != nil {
		return err
	}
	var plan, running Plan // as wanted, and as it is
	applied, trial := true, false
	tick := time.NewTicker(f.Look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case value, ok := <-plans:
			if !ok {
				return nil
			}
			p, err := parsePlan(name, value)
			if err != nil {
				f.Log.Error("the plan of a model can't be read; its version stays", "model", name, telemetry.Err, err)
				continue
			}
			plan, applied = p, false
		case <-tick.C:
		}
		if !applied {
			if err := f.apply(ctx, name, plan); err != nil {
				if ctx.Err() == nil {
					f.Log.Warn("the versions of a model are not loaded yet; the worker tries again", "model", name, telemetry.Err, err)
				}
				continue
			}
			applied, running, trial = true, plan, f.onTrial(plan)
			first()
		}
		f.evaluate(ctx, name, running)
		applied = applied && trial == f.onTrial(running) // when the trial is over the version before is freed
	}
}

// apply loads what a plan says and switches to it. A version that can't be fetched is tried again;
// one that is there and can't be run is taken back.
func (f Follower) apply(ctx context.Context, name string, p Plan) error {
	fallback := p.Desired
	if f.onTrial(p) {
		fallback = p.Previous
	}
	canary, share := "", 0.0
	if p.Canary != nil {
		canary, share = p.Canary.Version, p.Canary.Share
	}
	for _, version := range []string{fallback, p.Desired, canary} {
		if version == "" {
			continue
		}
		m, err := f.Library.Fetch(ctx, name, version, f.Dir)
		if err != nil && !errors.Is(err, ErrBroken) {
			return err
		}
		if err == nil {
			err = f.Stage.Add(ctx, name, version, m)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return errors.Join(f.retract(ctx, name, version, fmt.Sprintf("it can't be run: %v", err)), fmt.Errorf("version %s: %w", version, err))
		}
	}
	if err := f.Stage.Use(name, p.Desired, canary, fallback, share); err != nil {
		return err
	}
	f.Log.Info("a model runs its planned versions", "model", name, "desired", show(p.Desired), "canary", canary, "share", share)
	return nil
}

// onTrial says whether a desired version is new.
func (f Follower) onTrial(p Plan) bool {
	return p.Desired != p.Previous && time.Since(p.Since) < f.Trial
}

// evaluate compares a version on trial with the one that it replaces.
func (f Follower) evaluate(ctx context.Context, name string, p Plan) {
	version, before := "", ""
	switch {
	case p.Canary != nil:
		version, before = p.Canary.Version, p.Desired
	case f.onTrial(p):
		version, before = p.Desired, p.Previous
	default:
		return
	}
	reason := worse(f.Stage.Stats(name, version), f.Stage.Stats(name, before))
	if reason == "" {
		return
	}
	if err := f.retract(ctx, name, version, reason); err != nil && ctx.Err() == nil {
		f.Log.Warn("taking back the version of a model failed; the worker tries again", "model", name, "version", version, telemetry.Err, err)
	}
}

// retract takes a version back where it still runs.
func (f Follower) retract(ctx context.Context, name, version, reason string) error {
	err := put(ctx, f.Group, name, func(p *Plan) error {
		if !p.retract(version, Admin{By: f.By}.stamp(reason)) {
			return errAsItIs
		}
		return nil
	})
	if errors.Is(err, errAsItIs) {
		return nil
	}
	if err == nil {
		f.Log.Warn("the version of a model was taken back", "model", name, "version", version, "reason", reason)
	}
	return err
}
