package console

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/event"
)

type linkBody struct {
	Edges   []index.Edge
	Outbox  *live.Outbox
	Reports []report
	Drops   []index.Drop
}

// report is what an edge said of its link, and where its windows lie in a line of time.
type report struct {
	Edge string
	event.LinkReport
	Live    bool // asked just now
	Windows []timeWindow
	NowX    float64
}

// timeWindow is a contact window in a picture of lineWidth.
type timeWindow struct {
	event.ContactWindow
	X, Width float64
	When     string // past, open or to come
}

// The line of time shows so much on both sides of now.
const (
	lineWidth = 600.0
	lineSpan  = 24 * time.Hour
)

func (k *Console) linkPage(r *http.Request) (any, error) { return k.link(r.Context()) }

func (k *Console) link(ctx context.Context) (body linkBody, err error) {
	if body.Edges, err = k.index.Edges.All(ctx); err != nil {
		return body, err
	}
	live := ""
	if k.device.Device != nil {
		o := k.device.Outbox()
		body.Outbox = &o
		if r, err := k.device.Link(ctx); err == nil {
			live = o.Edge
			body.Reports = append(body.Reports, reportOf(o.Edge, r, true, k.now()))
		}
	}
	all, err := k.index.Edges.Links(ctx)
	if err != nil {
		return body, err
	}
	for _, l := range all {
		if l.Edge != live {
			body.Reports = append(body.Reports, reportOf(l.Edge, l.LinkReport, false, k.now()))
		}
	}
	body.Drops, err = k.index.Edges.Drops(ctx)
	return body, err
}

// reportOf draws the windows around now.
func reportOf(edge string, r event.LinkReport, live bool, now time.Time) report {
	out := report{Edge: edge, LinkReport: r, Live: live, NowX: lineWidth / 2}
	at := func(t time.Time) float64 {
		return min(max(lineWidth/2+lineWidth/2*float64(t.Sub(now))/float64(lineSpan), 0), lineWidth)
	}
	for _, all := range [][]event.ContactWindow{r.Past, r.Coming} {
		for _, w := range all {
			one := timeWindow{ContactWindow: w, X: at(w.From), When: "to come"}
			one.Width = max(at(w.To)-one.X, 2) // a pass of minutes is still seen
			switch {
			case !now.Before(w.To):
				one.When = "past"
			case !now.Before(w.From):
				one.When = "open"
			}
			out.Windows = append(out.Windows, one)
		}
	}
	return out
}

// priorityName is a priority for people.
func priorityName(p event.Priority) string {
	switch p {
	case event.Urgent:
		return "0 urgent"
	case event.High:
		return "1 high"
	case event.Normal:
		return "2 normal"
	}
	return fmt.Sprintf("%d low", p)
}

func (k *Console) apiLink(r *http.Request) (any, error) {
	edge := request.Name(r, "edge")
	if k.device.Device != nil && k.device.Outbox().Edge == edge {
		return k.device.Link(r.Context())
	}
	return k.index.Edges.Link(r.Context(), edge)
}
