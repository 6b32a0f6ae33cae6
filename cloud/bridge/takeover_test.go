package bridge_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/soak"
)

// A bridge that is killed holds its slots until its session with ZooKeeper ends; then the other must
// be at work, in the long form within a second.
func TestBridgeThatIsKilledIsTakenOverWithinItsSession(t *testing.T) {
	z := brokertest.StartZooKeeper(t, 1)
	k, brokers := embedded(t)
	m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
	at := site{mqtt: m.URL, kafka: strings.Join(brokers, ","), store: t.TempDir(), zookeeper: strings.Join(z.Servers, ",")}
	kills := map[string]func(){}
	for _, id := range []string{"first", "second"} {
		at.id = id
		kills[id] = child(t, at)
	}
	edges := senders(t, at, 100, "mast-0", "mast-1", "mast-2", "mast-3", "mast-4", "mast-5", "mast-6", "mast-7")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// round lets each edge send some more, and gives the time until all have had a receipt for one.
	each := uint64(0)
	round := func() (took time.Duration) {
		t.Helper()
		each += 50
		began := time.Now()
		var all sync.WaitGroup
		for _, e := range edges {
			all.Go(func() {
				if err := e.send(ctx, each, 0); err != nil {
					t.Error(err)
				}
			})
		}
		for _, e := range edges {
			eventually(t, "the first of them is received", func() bool { return e.through.Load() > each-50 })
		}
		took = time.Since(began)
		all.Wait()
		return took
	}
	round()
	kills["first"]()
	took := round() // half of the edges wait for the takeover
	// ZooKeeper counts a session's time in ticks, half a second here.
	if most := sessionTimeout + 500*time.Millisecond + time.Second; soak.Timed() && took > most {
		t.Errorf("the other was at work after %v, %v are allowed", took, most)
	}
	t.Logf("taken over after %v, the session being %v", took, sessionTimeout)
	count(t, k, each, len(edges))
	eventually(t, "the checkpoints know all edges", func() bool {
		status, err := dedup.Report(ctx, k)
		return err == nil && len(status) == len(edges)
	})
}
