// Package overview says in sentences how the appliance is.
package overview

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/cloud/console/decisions"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
)

// Levels of a line, the worst first.
const (
	levelBad  = "bad"
	levelWarn = "warn"
	levelGood = "good"
)

// Line is one sentence of the overview.
type Line struct {
	Level string `json:"level"` // bad, warn or good
	Text  string `json:"text"`
	Path  string `json:"path"` // where to look
}

// facts are what the sentences are about.
type facts struct {
	now         time.Time
	kafka       error
	kafkaSince  time.Time
	behind      int64 // records that the index lacks
	edges       []index.Edge
	cameras     []index.Camera
	workers     []live.Worker
	workersErr  error
	lags        []live.Lag
	deadLetters int // open ones
	blocked     []string
	incomplete  []index.Scene
	inWork      int
	alerts      int // in the last hour
	outbox      *live.Outbox
}

// maxListed bounds the scenes that are counted.
const maxListed = 1000

// Backlogs from which on the overview speaks of them.
const (
	lagWarns    = 1000
	behindWarns = 5000
	backlogAge  = 5 * time.Minute
)

// Overview gathers the facts.
type Overview struct {
	Index     *index.Index
	Cluster   *live.ClusterView
	Device    *live.DeviceView
	Decisions *decisions.Decisions
	Now       func() time.Time
}

// Lines says how the appliance is now, the bad ones first.
func (o Overview) Lines(ctx context.Context) ([]Line, error) {
	f, err := o.facts(ctx)
	if err != nil {
		return nil, err
	}
	return assess(f), nil
}

func (o Overview) facts(ctx context.Context) (f facts, err error) {
	f.now = o.Now()
	f.kafkaSince, f.kafka = o.Index.Kafka()
	if f.kafka == nil {
		c := o.Cluster.Get(ctx)
		f.workers, f.workersErr, f.lags, f.behind = c.Workers, c.GroupErr, c.Lags, c.Behind
	}
	if f.edges, err = o.Index.Edges.All(ctx); err != nil {
		return f, err
	}
	if f.cameras, err = o.Index.Cameras.All(ctx, o.Now()); err != nil {
		return f, err
	}
	if f.deadLetters, err = o.Decisions.Undecided(ctx); err != nil {
		return f, err
	}
	for _, b := range o.Decisions.Blocked() {
		f.blocked = append(f.blocked, b.Edge)
	}
	if f.incomplete, err = o.Index.Scenes.Incomplete(ctx, maxListed); err != nil {
		return f, err
	}
	if f.inWork, err = o.Index.Scenes.InWork(ctx); err != nil {
		return f, err
	}
	if f.alerts, err = o.Index.Events.AlertsSince(ctx, f.now.Add(-time.Hour)); err != nil {
		return f, err
	}
	if o.Device.Device != nil {
		outbox := o.Device.Outbox()
		f.outbox = &outbox
	}
	return f, nil
}

// assess says in sentences how the appliance is, the bad ones first.
func assess(f facts) []Line {
	var all []Line
	say := func(level, path, format string, args ...any) {
		all = append(all, Line{level, fmt.Sprintf(format, args...), path})
	}
	if f.kafka != nil {
		say(levelBad, "/cluster", "Kafka cannot be reached since %s; these pages show what was known before.", text.Ago(f.now, f.kafkaSince))
	}
	f.sayEdges(say)
	f.sayCameras(say)
	f.sayCluster(say)
	f.sayWork(say)
	slices.SortStableFunc(all, func(a, b Line) int { return cmp.Compare(rank(a.Level), rank(b.Level)) })
	return all
}

func rank(level string) int { return slices.Index([]string{levelBad, levelWarn, levelGood}, level) }

type speaker func(level, path, format string, args ...any)

func (f facts) sayEdges(say speaker) {
	var online, offline []string
	for _, e := range f.edges {
		switch e.Status {
		case "offline":
			name := e.Name
			if !e.Since.IsZero() {
				name += " (since " + text.Ago(f.now, e.Since) + ")"
			}
			offline = append(offline, name)
		case "online":
			online = append(online, e.Name)
		}
	}
	if len(offline) > 0 {
		say(levelBad, "/link", "%s offline: %s.", text.Are(len(offline), "edge is", "edges are"), text.Some(offline))
	}
	switch {
	case len(f.edges) == 0:
		say(levelWarn, "/link", "No edge has connected yet.")
	case len(online) > 0:
		say(levelGood, "/link", "%s online: %s.", text.Are(len(online), "edge is", "edges are"), text.Some(online))
	}
	switch o := f.outbox; {
	case o == nil:
	case o.Waiting == 0:
		say(levelGood, "/link", "The outbox of %s is empty: the cloud has received all %d items, or they are in the ledger of drops.", o.Edge, o.Committed)
	case f.now.Sub(o.Oldest) > backlogAge:
		say(levelWarn, "/link", "%d items (%s) wait in the outbox of %s, the oldest since %s.", o.Waiting, text.Size(o.Bytes), o.Edge, text.Ago(f.now, o.Oldest))
	default:
		say(levelGood, "/link", "%d items (%s) are on their way from %s.", o.Waiting, text.Size(o.Bytes), o.Edge)
	}
}

func (f facts) sayCameras(say speaker) {
	var silent []string
	up, seen, several := 0, map[string]bool{}, map[string]bool{}
	for _, c := range f.cameras {
		several[c.Name], seen[c.Name] = seen[c.Name], true
	}
	for _, c := range f.cameras {
		switch state := c.State(f.now); {
		case index.Lost(state):
			silent = append(silent, fmt.Sprintf("%s (since %s)", text.WithEdge(several, c.Edge, c.Name), text.Ago(f.now, c.Since())))
		case state == "up":
			up++
		}
	}
	if len(silent) > 0 {
		say(levelBad, "/cameras", "Nothing comes from %s: %s.", text.Are(len(silent), "camera", "cameras"), text.Some(silent))
	}
	if up > 0 {
		say(levelGood, "/cameras", "%s up.", text.Are(up, "camera is", "cameras are"))
	}
	if f.alerts > 0 {
		say(levelWarn, "/cameras?kind=alert", "%s in the last hour.", text.Are(f.alerts, "alert", "alerts"))
	}
}

func (f facts) sayCluster(say speaker) {
	switch {
	case f.kafka != nil: // the first line says so
	case f.workersErr != nil:
		say(levelBad, "/cluster", "The coordinator does not say which workers are running: %v.", f.workersErr)
	case len(f.workers) == 0:
		say(levelBad, "/cluster", "No worker is running: the cloud runs no models.")
	default:
		say(levelGood, "/cluster", "%s running.", text.Are(len(f.workers), "worker is", "workers are"))
	}
	for _, l := range f.lags {
		// What the mosaic has not committed is what it still gathers, not what it has not seen.
		if l.Topic == event.WorkTopic && l.Lag > lagWarns {
			say(levelWarn, "/cluster", "%s is %d records behind in %s.", l.Group, l.Lag, l.Topic)
		}
	}
	if f.behind > behindWarns {
		say(levelWarn, "/cluster", "The console is catching up with Kafka: %d records are not shown yet.", f.behind)
	}
}

func (f facts) sayWork(say speaker) {
	if f.deadLetters > 0 {
		say(levelBad, "/letters", "%s for a decision.", text.Are(f.deadLetters, "dead letter waits", "dead letters wait"))
	}
	if len(f.blocked) > 0 {
		say(levelWarn, "/letters", "%s blocked: %s.", text.Are(len(f.blocked), "device is", "devices are"), text.Some(f.blocked))
	}
	if len(f.incomplete) > 0 {
		names, count := make([]string, len(f.incomplete)), map[string]int{}
		for _, s := range f.incomplete {
			count[s.ID]++
		}
		for i, s := range f.incomplete {
			names[i] = text.WithEdge(map[string]bool{s.ID: count[s.ID] > 1}, s.Edge, s.ID)
		}
		say(levelWarn, "/scenes", "%s incomplete: %s.", text.Are(len(names), "scene is", "scenes are"), text.Some(names))
	}
	if f.inWork > 0 {
		say(levelGood, "/scenes", "%s in work.", text.Are(f.inWork, "scene is", "scenes are"))
	}
}
