package worker

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/shared/vision"
)

func TestTheRateIsThatOfTheWholeWorkerHoweverManyRunBesideEachOther(t *testing.T) {
	for _, beside := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			var r rate
			net := throttle(instant{}, 20)
			for range beside {
				go func() {
					for range 6 {
						r.begin()
						net.Run(t.Context(), make([]vision.Image, 4))
						r.end(4)
					}
				}()
			}
			time.Sleep(time.Minute) // idle time does not count
			synctest.Wait()
			if got := r.perSecond(); math.Abs(got-20) > 0.1 {
				t.Errorf("%d beside each other: %v items/s, want 20", beside, got)
			}
		})
	}
}

func TestTheRateFollowsAChangeOfSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rate
		for _, speed := range []float64{10, 40} {
			net := throttle(instant{}, speed)
			for began := time.Now(); time.Since(began) < time.Minute; {
				r.begin()
				net.Run(t.Context(), make([]vision.Image, 4))
				r.end(4)
			}
			if got := r.perSecond(); math.Abs(got-speed) > speed/10 {
				t.Errorf("%v items/s after a minute at %v", got, speed)
			}
		}
	})
}

type instant struct{}

func (instant) Run(_ context.Context, in []vision.Image) ([]vision.Output, error) {
	return make([]vision.Output, len(in)), nil
}

// throttled is a network that gives at most so many items/s, one run at a time, as a slower machine
// would.
type throttled struct {
	Network
	item time.Duration
	turn chan struct{}
}

func throttle(n Network, itemsPerSecond float64) Network {
	return throttled{n, time.Duration(float64(time.Second) / itemsPerSecond), make(chan struct{}, 1)}
}

func (t throttled) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	due := time.NewTimer(time.Duration(len(in)) * t.item)
	defer due.Stop()
	out, err := t.Network.Run(ctx, in)
	select {
	case <-due.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return out, err
}

// slow is a catalogue whose models do at most so many items/s; 0: as many as they can.
type slow struct {
	Catalogue
	speed float64
}

func (s slow) Open(ctx context.Context, name string) (Network, error) {
	net, err := s.Catalogue.Open(ctx, name)
	if err == nil && s.speed > 0 {
		net = throttle(net, s.speed)
	}
	return net, err
}
