package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// TestAFleetOfLightEdgesLosesNothingAtOneBridge sends items of many edges through mosquitto and a
// bridge, which is killed in the middle, and counts what is in Kafka.
func TestAFleetOfLightEdgesLosesNothingAtOneBridge(t *testing.T) {
	t.Parallel()
	const edges, items = 200, 5
	f := newFleet(t, startBrokers(t))
	listen := fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))
	lines, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	config := write(t, filepath.Join(f.dir, "bridge.yaml"), "%s\ntelemetry: {listen: %q}\n", lines, listen)
	bridge := start(t, "canvas-cloud", "--config", config, "bridge", "--id", "bridge-1")
	until(t, 2*time.Minute, "the bridge's metrics", func() bool {
		answer, err := http.Get("http://" + listen + "/metrics")
		if err == nil {
			answer.Body.Close()
		}
		return err == nil
	})
	fleet := start(t, "canvas", "simulate", "fleet", "--mqtt", f.brokers.mqtt, "--edges", "200", "--items", "5", "--connections", "4", "--rate", "400", "--json")
	k := f.kafka(t)
	until(t, 2*time.Minute, "items in Kafka", func() bool { return f.count(t, k, event.EventsTopic) > 100 })
	bridge.kill(t)
	start(t, "canvas-cloud", "--config", config, "bridge", "--id", "bridge-2")
	if err := <-fleet.done; err != nil {
		t.Fatalf("%v\n%s", err, fleet.log.String())
	}
	fleet.done <- nil
	var report struct{ Missing, Items int }
	decodeJSON(t, []byte(fleet.log.String()), &report)
	if report.Missing != 0 || report.Items != edges*items {
		t.Errorf("%+v", report)
	}
	seen := map[string]int{}
	offsets, err := k.Offsets(t.Context(), event.EventsTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, o := range offsets {
		if err := k.Scan(t.Context(), event.EventsTopic, p, o.First, o.End, func(r kafka.Record) error {
			i, err := r.Item()
			if i.Seq > 0 {
				seen[fmt.Sprint(i.Edge, " ", i.Seq)]++
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for what, n := range seen {
		if n != 1 {
			t.Errorf("%s is in Kafka %d times", what, n)
		}
	}
	if len(seen) != edges*items {
		t.Errorf("%d items of %d are in Kafka", len(seen), edges*items)
	}
	code, out := run(t, "canvas", "simulate", "fleet", "--mqtt", f.brokers.mqtt, "--edges", "50", "--items", "2", "--connections", "50", "--name", "other", "--bridge", "http://"+listen+"/metrics")
	if code != 0 || !strings.Contains(out, "0 items missing") || !strings.Contains(out, "bytes an edge") {
		t.Errorf("%d\n%s", code, out)
	}
}
