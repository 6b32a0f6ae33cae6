package worker

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/telemetry"
)

// How often a worker looks whether what it says of itself is still true, and how often it says so
// at most. The coordinator's traffic must not grow with the work.
const (
	lookEvery     = time.Second
	describeEvery = 10 * time.Second
)

// Attend keeps m among the members until ctx ends, with the rates and versions of its models as they
// change.
func Attend(ctx context.Context, c coord.Coordinator, m coord.Member, registry *Registry, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.Join(ctx, m) })
	group.Go(func() error {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		var said time.Time
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			rates, versions := registry.Rates(), registry.Versions()
			switched := !maps.Equal(versions, m.Models)
			if maps.EqualFunc(rates, m.Rates, nearly) && !switched || !switched && time.Since(said) < describeEvery {
				continue
			}
			now := m
			now.Rates, now.Models = rates, versions
			if err := c.Describe(ctx, now); err != nil {
				if ctx.Err() == nil {
					log.Warn("telling the others this worker's rates failed, trying again", telemetry.Err, err)
				}
				continue
			}
			m, said = now, time.Now()
		}
	})
	return group.Wait()
}

// nearly: a change of less than a tenth is not worth a word.
func nearly(a, b float64) bool { return math.Abs(a-b) < 0.1*b }
