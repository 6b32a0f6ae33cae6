package worker

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// How often a worker checks whether its membership still describes it, and how often it writes a new one
// at most. The coordinator's traffic must not grow with the work.
const (
	checkEvery    = time.Second
	describeEvery = 10 * time.Second
)

// Join keeps m among the members until ctx ends, with the rates and versions of its models as they
// change.
func Join(ctx context.Context, c coord.Coordinator, m coord.Member, registry *Registry, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.Join(ctx, m) })
	group.Go(func() error {
		tick := time.NewTicker(checkEvery)
		defer tick.Stop()
		var published time.Time
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			rates, versions := registry.Rates(), registry.Versions()
			switched := !maps.Equal(versions, m.Models)
			if maps.EqualFunc(rates, m.Rates, nearly) && !switched || !switched && time.Since(published) < describeEvery {
				continue
			}
			now := m
			now.Rates, now.Models = rates, versions
			if err := c.Describe(ctx, now); err != nil {
				if ctx.Err() == nil {
					log.Warn("the worker could not publish its rates and versions, and tries again", telemetry.Err, err)
				}
				continue
			}
			m, published = now, time.Now()
		}
	})
	return group.Wait()
}

// nearly: a change of less than a tenth is not published.
func nearly(a, b float64) bool { return math.Abs(a-b) < 0.1*b }

// Assigned are the partitions that the group's leader gives to a member, see coord/assign.
type Assigned struct {
	Coordinator coord.Coordinator
	Member      string
}

// Mine follows the leader's document.
func (a Assigned) Mine(ctx context.Context) (<-chan []int, error) {
	return assign.Follow(ctx, a.Coordinator, event.WorkTopic, a.Member)
}
