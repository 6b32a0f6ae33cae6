package api

import (
	"fmt"
	"net/http"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/event"
)

// cameras answers about cameras, and about alerts and tracks.
type cameras struct{ o Options }

func (a cameras) endpoints() []endpoint {
	return []endpoint{
		get("/cameras", "Cameras, videos and sets of images", nil, list[index.Camera]{}, a.all),
		get("/cameras/{edge}/{camera}", "One camera", nil, index.Camera{}, a.one),
		get("/cameras/{edge}/{camera}/frame", "What was found in a camera's latest frame", nil, frameFound{}, a.frame),
		get("/events", "Alerts and tracks, the latest first", eventFilters, list[index.Event]{}, a.events),
	}
}

var eventFilters = []parameter{
	{"edge", "string", "", "of one edge"}, {"stream", "string", "", "of one camera or sensor"}, {"label", "string", "", "with one label"},
	{"kind", "string", "", "alert or track"}, {"from", "string", "date-time", "from this time on"}, {"to", "string", "date-time", "up to this time"},
	{"before", "integer", "", "only those before the event with this number, for paging"}, paging[0],
}

// frameFound is what was found in a camera's latest frame.
type frameFound struct {
	Frame int         `json:"frame"` // -1: none has come
	Time  time.Time   `json:"time,omitzero"`
	Boxes []event.Box `json:"boxes"`
}

func (a cameras) all(r *http.Request) (any, error) {
	all, err := a.o.Index.Cameras.All(r.Context(), a.o.Now())
	return list[index.Camera]{Items: all}, err
}

func (a cameras) one(r *http.Request) (any, error) {
	return a.o.Index.Cameras.One(r.Context(), request.Name(r, "edge"), request.Name(r, "camera"), a.o.Now())
}

func (a cameras) frame(r *http.Request) (any, error) {
	c, err := a.o.Index.Cameras.One(r.Context(), request.Name(r, "edge"), request.Name(r, "camera"), a.o.Now())
	if err != nil {
		return nil, err
	}
	if c.Heard.IsZero() { // its edge speaks of it, and nothing of it has come
		return nil, fmt.Errorf("camera %.80q of edge %.80q is %w", c.Name, c.Edge, index.ErrUnknown)
	}
	f := frameFound{Frame: -1, Boxes: []event.Box{}}
	if f.Time, f.Frame, err = a.o.Index.Pictures.Taken(r.Context(), index.FrameSlot(c.Edge, c.Name)); err != nil || f.Time.IsZero() {
		return f, err
	}
	f.Boxes, err = a.o.Index.Cameras.Boxes(r.Context(), c.Edge, c.Name, f.Frame)
	return f, err
}

func (a cameras) events(r *http.Request) (any, error) {
	q, err := request.Events(r.URL.Query())
	if err != nil {
		return nil, err
	}
	limit, _, err := request.Window(r.URL.Query())
	if err != nil {
		return nil, err
	}
	q.Limit = limit + 1
	all, err := a.o.Index.Events.Find(r.Context(), q)
	if err != nil {
		return nil, err
	}
	l := list[index.Event]{Items: all[:min(limit, len(all))]}
	if len(all) > limit {
		l.Next = nextPage(r, true, "before", all[limit-1].Number)
	}
	return l, nil
}
