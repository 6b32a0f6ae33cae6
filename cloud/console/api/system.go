package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/overview"
	"cloudcanvas/cloud/console/request"
)

// system answers how the appliance is, who works in the cloud and with which models.
type system struct{ o Options }

func (a system) endpoints() []endpoint {
	return []endpoint{
		get("/overview", "How the appliance is, in sentences, the bad ones first", nil, health{}, a.overview),
		get("/cluster", "Who works in the cloud, and how far behind they are", nil, live.Cluster{}, a.cluster),
		get("/models", "The cluster's models, their versions and why they were changed", nil, list[live.Model]{}, a.models),
		get("/models/{model}", "One model", nil, live.Model{}, a.model),
		post("/models/{model}", "Begin a canary, promote it or take it back; needs the role operator", live.ModelRequest{}, live.Model{}, a.changeModel),
		get("/audit", "What operators did, the latest first", nil, list[auth.Act]{}, func(*http.Request) (any, error) { return list[auth.Act]{Items: a.o.Audit.Latest(request.MaxRows)}, nil }),
	}
}

// health is the overview for programs.
type health struct {
	Lines  []overview.Line `json:"lines"`
	Outbox *live.Outbox    `json:"outbox"` // where the console runs beside a device
}

func (a system) overview(r *http.Request) (any, error) {
	h := health{}
	var err error
	if h.Lines, err = a.o.Overview.Lines(r.Context()); err != nil {
		return nil, err
	}
	if a.o.Device.Device != nil {
		o := a.o.Device.Outbox()
		h.Outbox = &o
	}
	return h, nil
}

func (a system) cluster(r *http.Request) (any, error) {
	if _, err := a.o.Index.Kafka(); err != nil {
		return nil, fmt.Errorf("ask Kafka: %w", err)
	}
	return a.o.Cluster.Get(r.Context()), nil
}

func (a system) models(r *http.Request) (any, error) {
	all, err := a.o.Models.Get(r.Context())
	return list[live.Model]{Items: all}, err
}

func (a system) model(r *http.Request) (any, error) {
	return a.o.Models.Find(r.Context(), request.Name(r, "model"))
}

func (a system) changeModel(r *http.Request) (any, error) {
	var asked live.ModelRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, fmt.Errorf("%w: the body is no JSON: %w", request.ErrBad, err)
	}
	if err := a.o.Models.Change(r.Context(), auth.Who(r).Name, request.Name(r, "model"), asked); err != nil {
		return nil, err
	}
	return a.model(r)
}
