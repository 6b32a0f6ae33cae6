package edge

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudcanvas/edge/modelupdate"
	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
)

// takeModels lets the cloud change the models that the configuration names without a version.
func (a *Agent) takeModels() error {
	names := slices.DeleteFunc(a.config.ModelNames(), func(name string) bool { return strings.Contains(name, "@") })
	if a.parts.ModelStore == nil || a.config.Models.Fetch.Off || len(names) == 0 {
		return nil
	}
	plan, err := contact.New(a.config.Uplink.Contacts)
	if err != nil {
		return err
	}
	calendar, turn := contact.NewCalendar(plan), sync.Mutex{}
	a.taker = modelupdate.New(a.config.Models.Fetch, modelupdate.Parts{
		Store: a.parts.ModelStore, Names: names, Announce: func(ctx context.Context) { a.link.Announce(ctx) }, Up: a.link.Up, Try: a.tryModel, Counts: a.networks.counts, Log: a.log,
		Open: func(now time.Time) bool {
			turn.Lock()
			defer turn.Unlock()
			_, open := calendar.At(now)
			return open
		},
	})
	a.link.Down(event.DownModels, a.taker.Receive)
	a.link.SetModels(a.taker.Models)
	return nil
}

// tryModel loads a model beside those that run, and lets it answer its golden case: first in a process of
// its own, which it may take down.
func (a *Agent) tryModel(ctx context.Context, m model.Model) error {
	c := a.config.Models
	l := c.Layout
	l.Sessions, l.Trials, l.Remember = 1, l.Remember, "" // its speed beside what runs says nothing
	net, _, err := infer.Open(ctx, m, c.Engine, l, a.log)
	if err != nil {
		return err
	}
	return net.Close()
}

// counts are the pictures that a model has seen, and those on which it failed.
func (n *networks) counts(name string) (runs, failed int64) {
	if l := n.open[name]; l != nil {
		return l.runs.Load(), l.failed.Load()
	}
	return 0, 0
}
