package web

import (
	"net/http"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/overview"
	"cloudcanvas/shared/event"
)

type overviewBody struct {
	Lines    []overview.Line
	Products []index.Scene
	Alerts   []index.Event
}

// Bounds of what pages list at once.
const (
	fewRows  = 8
	pageRows = 50
)

func (s *Site) overview(r *http.Request) (any, error) {
	ctx := r.Context()
	lines, err := s.o.Overview.Lines(ctx)
	if err != nil {
		return nil, err
	}
	body := overviewBody{Lines: lines}
	if body.Products, err = s.o.Index.Scenes.Published(ctx, fewRows); err != nil {
		return nil, err
	}
	body.Alerts, err = s.o.Index.Events.Find(ctx, index.EventQuery{Kind: string(event.Alert), Limit: fewRows})
	return body, err
}
