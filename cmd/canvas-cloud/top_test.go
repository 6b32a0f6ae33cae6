package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/coord"
)

func TestTopShowsRatesBetweenTwoLooksAndWhatIsWrongFirst(t *testing.T) {
	now, dead := time.Now(), int64(3)
	of := func(at time.Time, committed, end int64) look {
		return look{at: at, status: status{Dead: &dead,
			Members: map[string][]coord.Member{coord.Worker: {{ID: "gpu-2"}, {ID: "gpu-1", Accelerator: "NVIDIA T4", Models: map[string]string{"ukis": "3"}}}},
			Owners:  map[string]coord.Owner{"canvas.work-0": {Member: "gpu-1"}, "canvas.work-1": {Member: "gpu-1"}},
			Lag: []lag{{Topic: "canvas.work", Group: "canvas-worker", Partition: 0, Committed: committed, End: end, Lag: end - committed, Age: 3},
				{Topic: "canvas.work", Group: "canvas-worker", Partition: 1, Committed: committed, End: end, Lag: end - committed, Age: 61}},
			Edges: []dedup.EdgeStatus{{Edge: "mast", Missing: 3, Since: now.Add(-time.Hour), Last: now}}}}
	}
	first := of(now.Add(-2*time.Second), 100, 100)
	if text := first.text(look{}); !strings.Contains(text, "canvas.work  canvas-worker  0       -       -     -") {
		t.Errorf("without a look before there are no rates:\n%s", text)
	}
	second := of(now, 110, 130)
	second.problem = errors.New("zookeeper: no answer")
	text := second.text(first)
	for _, want := range []string{"2 workers", "AWAY  zookeeper: no answer", "dead letters 3   edges 1   GAPS: mast lacks 3 since 1h0m0s", "canvas.work  canvas-worker  40      1m1s    30.0  10.0", "gpu-1   NVIDIA T4    2      ukis@3"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Index(text, "AWAY") > strings.Index(text, "TOPIC") || strings.Index(text, "gpu-1") > strings.Index(text, "gpu-2") {
		t.Errorf("the order is another:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if len(line) > 81 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
}
