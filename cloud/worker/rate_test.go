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
