package web

import (
	"fmt"
	"net/http"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/live"
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

func (s *Site) link(r *http.Request) (any, error) {
	ctx := r.Context()
	var body linkBody
	var err error
	if body.Edges, err = s.o.Index.Edges.All(ctx); err != nil {
		return body, err
	}
	live := ""
	if s.o.Device.Device != nil {
		o := s.o.Device.Outbox()
		body.Outbox = &o
		if r, err := s.o.Device.Link(ctx); err == nil {
			live = o.Edge
			body.Reports = append(body.Reports, reportOf(o.Edge, r, true, s.o.Now()))
		}
	}
	all, err := s.o.Index.Edges.Links(ctx)
	if err != nil {
		return body, err
	}
	for _, l := range all {
		if l.Edge != live {
			body.Reports = append(body.Reports, reportOf(l.Edge, l.LinkReport, false, s.o.Now()))
		}
	}
	body.Drops, err = s.o.Index.Edges.Drops(ctx)
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
