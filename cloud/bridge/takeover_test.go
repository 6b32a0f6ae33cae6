package bridge_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/shared/broker/brokertest"
)

// A bridge that is killed holds its slots until its session with ZooKeeper ends; then the other must
// be at work within a second.
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	each := uint64(50)
	for _, e := range edges {
		if err := e.send(ctx, each, 0); err != nil {
			t.Fatal(err)
		}
	}
	kills["first"]()
	killed := time.Now()
	each *= 2
	for _, e := range edges { // half of them wait for the takeover
		if err := e.send(ctx, each, 0); err != nil {
			t.Fatal(err)
		}
	}
	// ZooKeeper counts a session's time in ticks, half a second here.
	if took := time.Since(killed); took > sessionTimeout+500*time.Millisecond+time.Second {
		t.Errorf("the other was at work after %v, the session being %v", took, sessionTimeout)
	} else {
		t.Logf("taken over after %v, the session being %v", took, sessionTimeout)
	}
	count(t, k, each, len(edges))
	status, err := bridge.Report(ctx, k)
	if err != nil || len(status) < len(edges)/2 {
		t.Errorf("the checkpoints know %d edges: %v", len(status), err)
	}
}
