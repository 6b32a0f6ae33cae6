package edge

import (
	"context"
	"net/url"
	"slices"
	"time"

	"cloudcanvas/edge/uplink"
	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

const (
	reportPatience = 5 * time.Second // a backlog of a million rows is counted in less
	settling       = 3 * time.Second // after a connection, until its rate and the receipts say something
)

// LinkReport is how the outbox and the link are, for people.
func (a *Agent) LinkReport(ctx context.Context) (event.LinkReport, error) {
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	ladder, err := a.outbox.Ladder(ctx)
	if err != nil {
		return event.LinkReport{}, err
	}
	view, stats := a.uplink.Next(event.MaxNext), a.outbox.Stats()
	r := event.LinkReport{Time: time.Now().UTC(), Committed: stats.Committed, Received: stats.Received, Waiting: stats.Waiting, Dropped: stats.Dropped,
		Bytes: stats.Bytes, Oldest: stats.Oldest.UTC(), Ladder: ladder, Hold: holdOf(view, a.link.Problem()), Open: view.Open, BytesPerSecond: view.BytesPerSecond,
		Past: windowsOf(view.Past), Coming: windowsOf(view.Coming), Next: []event.NextItem{}, Networks: a.networkCounts()}
	if l := view.Limit; l != nil {
		r.Limit, r.Held = l.Reason, l.Held
	}
	if stats.Waiting == 0 {
		r.Oldest = time.Time{}
	}
	for _, c := range view.Next {
		n := event.NextItem{Priority: c.Priority, Rung: c.Rung, Bytes: c.Bytes, Sent: c.Sent, Parts: c.Parts, Why: string(c.Why)}
		n.Epoch, n.Seq = a.outbox.Place(c.Seq)
		if n.Kind, n.Stream, n.Subject, err = a.outbox.About(ctx, c.Seq); err == nil {
			r.Next = append(r.Next, n) // else the cloud has it by now
		}
	}
	return r.Bounded(), ctx.Err()
}

// brokerName is a broker's host and port, for people.
func brokerName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// holdOf is why nothing goes; problem is why the connection does not hold. An uplink without a
// connection has not asked its schedule.
func holdOf(v uplink.View, problem string) string {
	if !v.Connected && problem == "" {
		return "no connection"
	}
	if problem != "" {
		return "no connection that holds: " + problem
	}
	if v.Silent {
		return "the broker acknowledges what is sent, but no receipt comes"
	}
	return string(v.Hold)
}

func windowsOf(all []contact.Window) []event.ContactWindow {
	out := make([]event.ContactWindow, len(all))
	for i, w := range all {
		out[i] = event.ContactWindow{From: w.From.UTC(), To: w.To.UTC(), BytesPerSecond: w.BytesPerSecond}
	}
	return out
}

// tellLink reports the link's state with the edge's status: soon after each connection, and then now
// and then, where there is something new. Outside a contact window nothing is told.
func (a *Agent) tellLink(ctx context.Context) {
	every := a.config.Uplink.ReportEvery
	if every == 0 {
		return
	}
	wait := time.NewTimer(settling)
	defer wait.Stop()
	var told event.LinkReport
	var connection <-chan struct{} // on which it was told
	for {
		up := a.link.Up()
		select {
		case <-up:
		case <-ctx.Done():
			return
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
		r, err := a.LinkReport(ctx)
		if err == nil && r.Hold != string(schedule.Closed) && (up != connection || !same(r, told)) {
			err = a.link.Report(ctx, r)
		}
		if err == nil {
			told, connection = r, up
		} else if ctx.Err() == nil {
			a.log.Debug("the link's state is not told", telemetry.Err, err)
		}
		wait.Reset(every)
	}
}

// same says whether a report tells nothing new. What a window carries and how fast the link is now
// are worth nothing without items.
func same(a, b event.LinkReport) bool {
	return a.Committed == b.Committed && a.Received == b.Received && a.Waiting == b.Waiting && a.Dropped == b.Dropped && a.Hold == b.Hold && a.Limit == b.Limit && a.Held == b.Held &&
		slices.Equal(a.Coming, b.Coming) && slices.EqualFunc(a.Networks, b.Networks, event.NetworkCounts.SameFaults)
}
