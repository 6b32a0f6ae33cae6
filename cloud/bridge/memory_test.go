package bridge_test

import (
	"strings"
	"sync"
	"testing"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
)

// A large item is put together in memory, and lies there once: 260 MB lifted the bridge to 621.
func TestLargeItemLiftsTheBridgeByItsSizeAtMost(t *testing.T) {
	_, brokers := embedded(t)
	m := brokertest.StartMosquitto(t, "max_inflight_messages 1000")
	at := site{mqtt: m.URL, kafka: strings.Join(brokers, ","), store: t.TempDir()}
	process, kill := startChild(t, at, childBridge)
	t.Cleanup(kill)
	e := newEdge(t, at, "mast")
	e.greet(t)
	done := make(chan struct{})
	peak := watchMemory(process.Process.Pid, done)
	size := int(long(40, 250)) << 20
	data := make([]byte, size)
	for n := range data {
		data[n] = byte(n * n >> 7)
	}
	var all sync.WaitGroup
	window := make(chan struct{}, 16)
	for _, part := range inParts(item("mast", 2, event.Tile, data), 128<<10) {
		window <- struct{}{}
		all.Go(func() {
			defer func() { <-window }()
			e.publish(t, part)
		})
	}
	all.Wait()
	e.await(t, 2)
	close(done)
	most := raced * (float64(size>>20) + 32 + 16 + 60)
	t.Logf("an item of %d MiB: the bridge had %.0f MiB at most", size>>20, peak())
	if got := peak(); got > most {
		t.Errorf("the bridge had %.0f MiB, %.0f are its bound", got, most)
	}
}
