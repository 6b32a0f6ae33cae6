package overview

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/shared/event"
)

func TestTheOverviewSaysTheBadThingsFirst(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	lines := assess(facts{
		now: now, kafka: errors.New("refused"), kafkaSince: now.Add(-90 * time.Second),
		edges:   []index.Edge{{Name: "mast-1", Status: "online"}, {Name: "mast-2", Status: "offline", Since: now.Add(-3 * time.Hour)}},
		cameras: []index.Camera{{Name: "gate", Online: true, Heard: now.Add(-5 * time.Minute)}, {Name: "yard", Online: true, Heard: now}, {Name: "film", Ended: true}},
		lags:    []live.Lag{{Topic: event.WorkTopic, Group: "canvas-worker", Lag: 5000}}, deadLetters: 3, incomplete: []index.Scene{{ID: "S2A"}}, behind: 10_000, alerts: 2,
		outbox: &live.Outbox{Edge: "mast-1", Waiting: 7, Bytes: 1500, Oldest: now.Add(-time.Hour)},
	})
	worst := 0
	var all strings.Builder
	for _, l := range lines {
		if rank(l.Level) < worst {
			t.Errorf("%s %q stands behind a better line", l.Level, l.Text)
		}
		worst = rank(l.Level)
		all.WriteString(l.Level + " " + l.Text + "\n")
	}
	for _, text := range []string{
		"bad Kafka cannot be reached since 1 min", "bad 1 edge is offline: mast-2 (since 3 h 0 min).", "bad Nothing comes from 1 camera: gate (since 5 min).",
		"bad 3 dead letters wait for a decision.", "warn canvas-worker is 5000 records behind in canvas.work.",
		"warn 1 scene is incomplete: S2A.", "warn 7 items (1.5 kB) wait in the outbox of mast-1, the oldest since 1 h 0 min.", "good 1 camera is up.", "warn The console is catching up",
	} {
		if !strings.Contains(all.String(), text) {
			t.Errorf("it does not say %q:\n%s", text, all.String())
		}
	}
	if idle := assess(facts{now: now}); idle[0].Level != levelBad || !strings.Contains(idle[0].Text, "No worker is running") {
		t.Errorf("without a worker: %+v", idle)
	}
	calm := assess(facts{now: now, edges: []index.Edge{{Name: "mast-1", Status: "online"}}, workers: []live.Worker{{}}, outbox: &live.Outbox{Edge: "mast-1", Committed: 9}})
	for _, l := range calm {
		if l.Level != levelGood {
			t.Errorf("all is well, and it says %q", l.Text)
		}
	}
}
