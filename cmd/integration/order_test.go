package integration

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

// TestABacklogOfReadingsArrivesInItsOrder lets readings of some sensors wait while the link is cut, starts
// the device anew in the middle, and breaks the link again while they go.
func TestABacklogOfReadingsArrivesInItsOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	until(t, 2*time.Minute, "a connection to the cloud", func() bool { return s.must().waiting == 0 })
	l.cut()
	sensors := []string{"boiler", "tank", "wind"}
	each := rounds(1700, 17_000)
	publish := func(from, to int) {
		var wait sync.WaitGroup
		for _, sensor := range sensors {
			p := newPublisher(s)
			wait.Go(func() {
				for n := from; n < to; n++ {
					// Sizes go up and down: value per byte must not decide.
					text := fmt.Sprintf(`{"n": %d, "t": %g}`, n, 1/float64(1+n*7919%97))
					if err := p.client.Publish(t.Context(), "canvas/sensors/"+sensor+"/reading", 1, false, []byte(text)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
	}
	publish(0, each/2)
	s.edge.kill(t)
	s.run("")
	publish(each/2, each)
	total := uint64(each * len(sensors))
	until(t, 2*time.Minute, "all of them in the buffer", func() bool { c := s.must(); return c.committed >= total && c.received == 0 })
	l.mend()
	until(t, 2*time.Minute, "some of them received", func() bool { return s.must().received > total/10 })
	l.cut()
	l.mend()
	s.settle(2 * time.Minute)
	newest, came, late := map[string]int{}, 0, 0
	for _, i := range s.arrived() {
		if i.Kind != event.Reading {
			continue
		}
		var d event.ReadingData
		decodeJSON(t, i.Data, &d)
		n := int(d.Values["n"])
		if last, ok := newest[d.Sensor]; ok && n < last {
			late++
		}
		newest[d.Sensor] = max(newest[d.Sensor], n)
		came++
	}
	if came != int(total) || late > 0 {
		t.Errorf("%d of %d readings came, %d of them after a newer one of their sensor", came, total, late)
	}
	t.Logf("%d readings of %d sensors, none after a newer one", came, len(sensors))
}
