package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/event"
)

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

func (k *Console) camerasPage(r *http.Request) (any, error) {
	cameras, err := k.index.Cameras.All(r.Context(), k.now())
	if err != nil {
		return nil, err
	}
	body := camerasBody{Cameras: make([]cameraCard, len(cameras))}
	pictures, err := k.index.Pictures.FrameTimes(r.Context())
	if err != nil {
		return nil, err
	}
	for i, c := range cameras {
		body.Cameras[i] = cameraCard{c, c.Word, index.Lost(c.Word), pictures[index.FrameSlot(c.Edge, c.Name)]}
	}
	body.Events, err = k.eventList(r, filter{})
	return body, err
}

type cameraBody struct {
	cameraCard
	Frame  int
	Boxes  []event.Box
	Events eventList
}

func (k *Console) cameraPage(r *http.Request) (any, error) {
	ctx := r.Context()
	c, err := k.index.Cameras.One(ctx, request.Name(r, "edge"), request.Name(r, "camera"), k.now())
	if err != nil {
		return nil, err
	}
	body := cameraBody{cameraCard: cameraCard{Camera: c, State: c.Word, Lost: index.Lost(c.Word)}}
	if body.Picture, body.Frame, err = k.index.Pictures.Taken(ctx, index.FrameSlot(c.Edge, c.Name)); err != nil {
		return nil, err
	}
	if body.Boxes, err = k.index.Cameras.Boxes(ctx, c.Edge, c.Name, body.Frame); err != nil {
		return nil, err
	}
	body.Boxes = likely(body.Boxes)
	body.Events, err = k.eventList(r, filter{Edge: c.Edge, Camera: c.Name})
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
func (k *Console) eventList(r *http.Request, fixed filter) (eventList, error) {
	l := eventList{Filter: fixed}
	q, err := eventsAsked(r.URL.Query())
	if err != nil {
		return l, err
	}
	l.Filter.Label, l.Filter.Kind = q.Label, q.Kind
	l.Filter.From, l.Filter.To = r.URL.Query().Get("from"), r.URL.Query().Get("to")
	if fixed.Camera != "" {
		q.Edge, q.Stream = fixed.Edge, fixed.Camera
	}
	q.Limit = pageRows + 1
	if l.Events, err = k.index.Events.Find(r.Context(), q); err != nil {
		return l, err
	}
	if len(l.Events) > pageRows {
		l.Events = l.Events[:pageRows]
		next := r.URL.Query()
		next.Set("before", strconv.FormatInt(l.Events[pageRows-1].Number, 10))
		l.Next = "?" + next.Encode()
	}
	several, err := k.index.Cameras.Shared(r.Context())
	if err != nil {
		return l, err
	}
	for n, e := range l.Events {
		l.Events[n].Source = called(several, e.Edge, e.Stream)
	}
	l.Labels, err = k.index.Events.Labels(r.Context())
	return l, err
}

// eventsAsked reads the filters that pages and the API share.
func eventsAsked(v url.Values) (q index.EventQuery, err error) {
	q = index.EventQuery{Edge: v.Get("edge"), Stream: v.Get("stream"), Label: v.Get("label"), Kind: v.Get("kind")}
	if q.Kind != "" && q.Kind != string(event.Alert) && q.Kind != string(event.Track) {
		return q, fmt.Errorf("%w: kind %.20q is neither alert nor track", request.ErrBad, q.Kind)
	}
	if q.From, err = request.Time(v, "from"); err != nil {
		return q, err
	}
	if q.To, err = request.Time(v, "to"); err != nil {
		return q, err
	}
	if text := v.Get("before"); text != "" {
		if q.Before, err = strconv.ParseInt(text, 10, 64); err != nil || q.Before < 1 {
			return q, fmt.Errorf("%w: before %.20q is no event's number", request.ErrBad, text)
		}
	}
	return q, nil
}
