package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/visible"
)

func topCommand() *urfave.Command {
	return cli.TopCommand("status, live in a terminal of 80 x 24 and more; q ends it", func(c *urfave.Context) (func(context.Context, look) (look, string), error) {
		cfg, err := loadConfig(c)
		return func(ctx context.Context, last look) (look, string) {
			s, err := readStatus(ctx, cfg)
			now := look{status: s, at: time.Now(), problem: err}
			return now, now.text(last)
		}, err
	})
}

// look is a status at a time.
type look struct {
	status
	at      time.Time
	problem error
}

// text is a status in few lines, the bad ones first; last gives rates.
func (l look) text(last look) string {
	var b strings.Builder
	visible.Fprintf(&b, "canvas-cloud top  %s  %d workers  %d bridges  %d mosaics\n", l.at.UTC().Format("2006-01-02 15:04:05 UTC"),
		len(l.Members[coord.Worker]), len(l.Members[coord.Bridge]), len(l.Members[coord.Mosaic]))
	if l.problem != nil {
		for line := range strings.Lines(l.problem.Error()) {
			visible.Fprintf(&b, "AWAY  %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if l.Dead != nil {
		visible.Fprintf(&b, "dead letters %d   edges %d%s\n", *l.Dead, countEdges(l.Edges), lateEdges(l.Edges, l.at))
	}
	w := table(&b)
	l.topics(w, last)
	l.workers(w)
	w.Flush()
	return b.String()
}

// lateEdges names the edges of which something has been missing for a while.
func lateEdges(all []dedup.EdgeStatus, now time.Time) string {
	var names []string
	for _, e := range all {
		if e.Late(now) {
			names = append(names, fmt.Sprintf("%s lacks %d since %s", e.Edge, e.Missing, since(now, e.Since)))
		}
	}
	text := ""
	if len(names) > 0 {
		text = "   GAPS: " + strings.Join(names, ", ")
	}
	if twins := twins(all); len(twins) > 0 {
		text += "   TWO AGENTS AS: " + strings.Join(twins, ", ")
	}
	return text
}

// twins are the edges whose name two agents use.
func twins(all []dedup.EdgeStatus) (names []string) {
	for _, e := range all {
		if e.Twin != "" && !slices.Contains(names, e.Edge) {
			names = append(names, e.Edge)
		}
	}
	return names
}

// groupLag is a group's lag in all partitions of a topic.
type groupLag struct {
	topic, group   string
	lag, done, end int64
	oldest         float64
}

func (s status) groups() []groupLag {
	var all []groupLag
	for _, p := range s.Lag {
		at := slices.IndexFunc(all, func(g groupLag) bool { return g.topic == p.Topic && g.group == p.Group })
		if at < 0 {
			at = len(all)
			all = append(all, groupLag{topic: p.Topic, group: p.Group})
		}
		g := &all[at]
		g.lag, g.done, g.end, g.oldest = g.lag+p.Lag, g.done+p.Committed, g.end+p.End, max(g.oldest, p.Age)
	}
	return all
}

func (l look) topics(w *visible.Table, last look) {
	now := l.groups()
	if len(now) == 0 {
		return
	}
	before, took := last.groups(), l.at.Sub(last.at).Seconds()
	w.Printf("\nTOPIC\tGROUP\tBEHIND\tOLDEST\tIN/s\tDONE/s\n")
	for _, g := range now {
		oldest, in, done := "-", "-", "-"
		if g.lag > 0 {
			oldest = time.Duration(g.oldest * float64(time.Second)).Round(time.Second).String()
		}
		if at := slices.IndexFunc(before, func(b groupLag) bool { return b.topic == g.topic && b.group == g.group }); at >= 0 && took > 0 {
			in, done = fmt.Sprintf("%.1f", float64(g.end-before[at].end)/took), fmt.Sprintf("%.1f", float64(g.done-before[at].done)/took)
		}
		w.Printf("%s\t%s\t%d\t%s\t%s\t%s\n", g.topic, g.group, g.lag, oldest, in, done)
	}
}

func (l look) workers(w *visible.Table) {
	if len(l.Members[coord.Worker]) == 0 {
		return
	}
	owned := map[string]int{}
	for _, p := range l.Lag {
		if o, has := l.Owners[p.partition()]; has {
			owned[o.Member]++
		}
	}
	w.Printf("\nWORKER\tACCELERATOR\tPARTS\tMODELS AND THEIR ITEMS/s\n")
	for _, m := range slices.SortedFunc(slices.Values(l.Members[coord.Worker]), func(a, b coord.Member) int { return cmp.Compare(a.ID, b.ID) }) {
		w.Printf("%s\t%s\t%d\t%s\n", m.ID, orDash(m.Accelerator), owned[m.ID], models(m))
	}
}
