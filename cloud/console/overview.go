package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

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

// facts are what the overview judges.
type facts struct {
	now        time.Time
	kafka      error
	kafkaSince time.Time
	behind     int64 // records that the index lacks
	edges      []Edge
	cameras    []Camera
	workers    []Worker
	workersErr error
	lags       []Lag
	letters    int // open ones
	blocked    []string
	incomplete []Scene
	inWork     int
	alerts     int // in the last hour
	outbox     *Outbox
}

// Backlogs from which on the overview speaks of them.
const (
	lagWarns    = 1000
	behindWarns = 5000
	backlogAge  = 5 * time.Minute
)

// assess says in sentences how the appliance is, the bad ones first.
func assess(f facts) []Line {
	var all []Line
	say := func(level, path, format string, args ...any) {
		all = append(all, Line{level, fmt.Sprintf(format, args...), path})
	}
	if f.kafka != nil {
		say(levelBad, "/cluster", "Kafka cannot be reached since %s; these pages show what was known before.", ago(f.now, f.kafkaSince))
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
			text := e.Name
			if !e.Since.IsZero() {
				text += " (since " + ago(f.now, e.Since) + ")"
			}
			offline = append(offline, text)
		case "online":
			online = append(online, e.Name)
		}
	}
	if len(offline) > 0 {
		say(levelBad, "/link", "%s offline: %s.", are(len(offline), "edge is", "edges are"), some(offline))
	}
	switch {
	case len(f.edges) == 0:
		say(levelWarn, "/link", "No edge has been heard of yet.")
	case len(online) > 0:
		say(levelGood, "/link", "%s online: %s.", are(len(online), "edge is", "edges are"), some(online))
	}
	switch o := f.outbox; {
	case o == nil:
	case o.Waiting == 0:
		say(levelGood, "/link", "The outbox of %s is empty: all %d items are with the cloud or in the ledger.", o.Edge, o.Committed)
	case f.now.Sub(o.Oldest) > backlogAge:
		say(levelWarn, "/link", "%d items (%s) wait in the outbox of %s, the oldest since %s.", o.Waiting, size(o.Bytes), o.Edge, ago(f.now, o.Oldest))
	default:
		say(levelGood, "/link", "%d items (%s) are on their way from %s.", o.Waiting, size(o.Bytes), o.Edge)
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
		case Lost(state):
			silent = append(silent, fmt.Sprintf("%s (since %s)", called(several, c.Edge, c.Name), ago(f.now, c.Since())))
		case state == "up":
			up++
		}
	}
	if len(silent) > 0 {
		say(levelBad, "/cameras", "Nothing comes from %s: %s.", are(len(silent), "camera", "cameras"), some(silent))
	}
	if up > 0 {
		say(levelGood, "/cameras", "%s up.", are(up, "camera is", "cameras are"))
	}
	if f.alerts > 0 {
		say(levelWarn, "/cameras?kind=alert", "%s in the last hour.", are(f.alerts, "alert", "alerts"))
	}
}

func (f facts) sayCluster(say speaker) {
	switch {
	case f.kafka != nil: // nobody can be asked, as the first line says
	case f.workersErr != nil:
		say(levelBad, "/cluster", "Who works cannot be asked: %v.", f.workersErr)
	case len(f.workers) == 0:
		say(levelBad, "/cluster", "No worker is there: nothing is looked at again in the cloud.")
	default:
		say(levelGood, "/cluster", "%s there.", are(len(f.workers), "worker is", "workers are"))
	}
	for _, l := range f.lags {
		// What the mosaic has not committed is what it still gathers, not what it has not seen.
		if l.Topic == event.WorkTopic && l.Lag > lagWarns {
			say(levelWarn, "/cluster", "%s is %d records behind in %s.", l.Group, l.Lag, l.Topic)
		}
	}
	if f.behind > behindWarns {
		say(levelWarn, "/cluster", "The console is reading: %d records are not shown yet.", f.behind)
	}
}

func (f facts) sayWork(say speaker) {
	if f.letters > 0 {
		say(levelBad, "/letters", "%s could not be worked on and %s for a decision.", are(f.letters, "item", "items"), choose(f.letters, "waits", "wait"))
	}
	if len(f.blocked) > 0 {
		say(levelWarn, "/letters", "%s shut out: %s.", are(len(f.blocked), "device is", "devices are"), some(f.blocked))
	}
	if len(f.incomplete) > 0 {
		names, count := make([]string, len(f.incomplete)), map[string]int{}
		for _, s := range f.incomplete {
			count[s.ID]++
		}
		for i, s := range f.incomplete {
			names[i] = called(map[string]bool{s.ID: count[s.ID] > 1}, s.Edge, s.ID)
		}
		say(levelWarn, "/scenes", "%s incomplete: %s.", are(len(names), "scene is", "scenes are"), some(names))
	}
	if f.inWork > 0 {
		say(levelGood, "/scenes", "%s in work.", are(f.inWork, "scene is", "scenes are"))
	}
}

// are is "1 edge is" or "3 edges are".
func are(n int, one, many string) string { return fmt.Sprintf("%d %s", n, choose(n, one, many)) }

func choose(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// some names the first few.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// ago is how long something is past, for people.
func ago(now, then time.Time) string {
	if then.IsZero() {
		return "an unknown time"
	}
	switch d := now.Sub(then); {
	case d < 0:
		return then.UTC().Format("2006-01-02 15:04 UTC")
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// size is a number of bytes for people.
func size(bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, names := float64(bytes), "kMGTPE"
	for i := range names {
		value /= unit
		if value < unit || i == len(names)-1 {
			return fmt.Sprintf("%.1f %cB", value, names[i])
		}
	}
	return ""
}
