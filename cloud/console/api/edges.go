package api

import (
	"net/http"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/event"
)

// edges answers about devices and their links.
type edges struct{ o Options }

func (a edges) endpoints() []endpoint {
	return []endpoint{
		get("/edges", "Devices as the cloud knows them", nil, list[index.Edge]{}, a.all),
		get("/edges/{edge}/link", "What waits on an edge by priority and rung, its contact windows, and what would go next and why", nil, event.LinkReport{}, a.link),
		get("/drops", "What edges dropped, and why", nil, list[index.Drop]{}, a.drops),
	}
}

func (a edges) all(r *http.Request) (any, error) {
	all, err := a.o.Index.Edges.All(r.Context())
	return list[index.Edge]{Items: all}, err
}

func (a edges) link(r *http.Request) (any, error) {
	edge := request.Name(r, "edge")
	if a.o.Device.Device != nil && a.o.Device.Outbox().Edge == edge {
		return a.o.Device.Link(r.Context())
	}
	return a.o.Index.Edges.Link(r.Context(), edge)
}

func (a edges) drops(r *http.Request) (any, error) {
	all, err := a.o.Index.Edges.Drops(r.Context())
	return list[index.Drop]{Items: all}, err
}
