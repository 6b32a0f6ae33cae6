package main

import (
	"context"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/visible"
)

func topCommand() *urfave.Command {
	const usage = "the buffer, live in a terminal of 80 x 24 and more; the agent may run meanwhile; q ends it"
	return cli.TopCommand(usage, func(c *urfave.Context) (func(context.Context, bufferLook) (bufferLook, string), error) {
		cfg, err := loadConfig(c)
		return func(ctx context.Context, last bufferLook) (bufferLook, string) {
			now := lookAtBuffer(ctx, cfg.OutboxFolder(), cfg.Edge)
			return now, now.text(last)
		}, err
	})
}

// bufferLook is the buffer at a time.
type bufferLook struct {
	edge     string
	at       time.Time
	stats    outbox.Stats
	epoch    event.Epoch
	ladder   []event.LadderStep
	drops    []outbox.Dropped
	troubles []event.Trouble
	problem  error
}

// drops that are shown.
const dropsShown = 6

func lookAtBuffer(ctx context.Context, folder, edge string) bufferLook {
	l := bufferLook{edge: edge, at: time.Now()}
	r, err := outbox.OpenReader(folder, edge)
	if err != nil {
		l.problem = err
		return l
	}
	defer r.Close()
	l.stats, l.epoch, l.troubles = r.Stats, r.Epoch, r.Troubles
	if l.ladder, l.problem = r.Ladder(ctx); l.problem == nil {
		l.drops, l.problem = r.Drops(ctx, dropsShown)
	}
	return l
}

func (l bufferLook) text(last bufferLook) string {
	var b strings.Builder
	visible.Fprintf(&b, "canvas-edge top  %s  %s  epoch %s\n", l.edge, l.at.UTC().Format("2006-01-02 15:04:05 UTC"), l.epoch)
	if l.problem != nil {
		visible.Fprintf(&b, "NOT KNOWN  %v\n", l.problem)
	}
	s := l.stats
	visible.Fprintf(&b, "%d committed = %d received + %d waiting (%d bytes) + %d dropped\n", s.Committed, s.Received, s.Waiting, s.Bytes, s.Dropped)
	if took := l.at.Sub(last.at).Seconds(); last.epoch != "" && s.Committed >= last.stats.Committed && took > 0 {
		rate := func(now, before uint64) float64 { return float64(int64(now-before)) / took }
		visible.Fprintf(&b, "items a second: %.1f committed, %.1f received, %.1f dropped\n", rate(s.Committed, last.stats.Committed), rate(s.Received, last.stats.Received), rate(s.Dropped, last.stats.Dropped))
	}
	for _, t := range l.troubles {
		visible.Fprintf(&b, "TROUBLE  %s since %s, %d items: `canvas-edge buffer ls` tells more\n", t.Kind, t.Since.Format("2006-01-02 15:04"), t.Items)
	}
	w := visible.NewTable(&b)
	if len(l.ladder) > 0 {
		w.Printf("\nPRIORITY\tRUNG\tITEMS\tBYTES\tOLDEST\n")
		for _, step := range l.ladder {
			w.Printf("%d\t%s\t%d\t%d\t%s\n", step.Priority, step.Rung.Name(), step.Items, step.Bytes, l.at.Sub(step.Oldest).Round(time.Second))
		}
	}
	if len(l.drops) > 0 {
		w.Printf("\nDROPPED\tKIND\tSTREAM\tBYTES\tREASON\n")
		for _, d := range l.drops {
			w.Printf("%s\t%s\t%s\t%d\t%s\n", d.At.Format("15:04:05"), d.Kind, d.Stream, d.Bytes, d.Reason)
		}
	}
	w.Flush()
	return b.String()
}
