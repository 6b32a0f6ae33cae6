package web

import (
	"net/http"
	"strconv"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
)

// cameraPages are all cameras with the events, and one camera.
type cameraPages struct{ *Site }

type camerasBody struct {
	Cameras []cameraCard
	Events  eventList
}

type cameraCard struct {
	index.Camera
	State   string
	Lost    bool
	Picture time.Time // of the latest frame; zero: none
}

// eventList is a part of the events with its filters.
type eventList struct {
	Filter filter
	Labels []string
	Events []index.Event
	Next   string // link to older ones
}

// filter is what a person chose.
type filter struct {
	Edge, Camera, Label, Kind, From, To string
}

func (s cameraPages) all(r *http.Request) (any, error) {
	cameras, err := s.o.Index.Cameras.All(r.Context(), s.o.Now())
	if err != nil {
		return nil, err
	}
	body := camerasBody{Cameras: make([]cameraCard, len(cameras))}
	pictures, err := s.o.Index.Pictures.FrameTimes(r.Context())
	if err != nil {
		return nil, err
	}
	for i, c := range cameras {
		body.Cameras[i] = cameraCard{c, c.Word, index.Lost(c.Word), pictures[index.FrameSlot(c.Edge, c.Name)]}
	}
	body.Events, err = s.eventList(r, filter{})
	return body, err
}

type cameraBody struct {
	cameraCard
	Frame  int
	Boxes  []event.Box
	Events eventList
}

func (s cameraPages) one(r *http.Request) (any, error) {
	ctx := r.Context()
	c, err := s.o.Index.Cameras.One(ctx, request.Name(r, "edge"), request.Name(r, "camera"), s.o.Now())
	if err != nil {
		return nil, err
	}
	body := cameraBody{cameraCard: cameraCard{Camera: c, State: c.Word, Lost: index.Lost(c.Word)}}
	if body.Picture, body.Frame, err = s.o.Index.Pictures.Taken(ctx, index.FrameSlot(c.Edge, c.Name)); err != nil {
		return nil, err
	}
	if body.Boxes, err = s.o.Index.Cameras.Boxes(ctx, c.Edge, c.Name, body.Frame); err != nil {
		return nil, err
	}
	body.Boxes = likely(body.Boxes)
	body.Events, err = s.eventList(r, filter{Edge: c.Edge, Camera: c.Name})
	return body, err
}

// likelyScore is the least score of a box that is drawn, as in the products' annotated frames.
const likelyScore = 0.3

func likely(all []event.Box) []event.Box {
	out := all[:0:0]
	for _, b := range all {
		if b.Score >= likelyScore {
			out = append(out, b)
		}
	}
	return out
}

// eventList answers the filters of a request; fixed are those that the page itself sets.
func (s cameraPages) eventList(r *http.Request, fixed filter) (eventList, error) {
	l := eventList{Filter: fixed}
	q, err := request.Events(r.URL.Query())
	if err != nil {
		return l, err
	}
	l.Filter.Label, l.Filter.Kind = q.Label, q.Kind
	l.Filter.From, l.Filter.To = r.URL.Query().Get("from"), r.URL.Query().Get("to")
	if fixed.Camera != "" {
		q.Edge, q.Stream = fixed.Edge, fixed.Camera
	}
	q.Limit = pageRows + 1
	if l.Events, err = s.o.Index.Events.Find(r.Context(), q); err != nil {
		return l, err
	}
	if len(l.Events) > pageRows {
		l.Events = l.Events[:pageRows]
		next := r.URL.Query()
		next.Set("before", strconv.FormatInt(l.Events[pageRows-1].Number, 10))
		l.Next = "?" + next.Encode()
	}
	several, err := s.o.Index.Cameras.Shared(r.Context())
	if err != nil {
		return l, err
	}
	for n, e := range l.Events {
		l.Events[n].Source = text.WithEdge(several, e.Edge, e.Stream)
	}
	l.Labels, err = s.o.Index.Events.Labels(r.Context())
	return l, err
}
