package console

import (
	"context"
	"net/http"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
)

type overviewBody struct {
	Lines    []Line
	Products []index.Scene
	Alerts   []index.Event
}

// Bounds of what pages list at once.
const (
	fewRows  = 8
	pageRows = 50
	maxRows  = 1000
)

func (k *Console) overviewPage(r *http.Request) (any, error) {
	ctx := r.Context()
	f, err := k.facts(ctx)
	if err != nil {
		return nil, err
	}
	body := overviewBody{Lines: assess(f)}
	if body.Products, err = k.index.Scenes.Published(ctx, fewRows); err != nil {
		return nil, err
	}
	body.Alerts, err = k.index.Events.Find(ctx, index.EventQuery{Kind: string(event.Alert), Limit: fewRows})
	return body, err
}

// facts gathers what the overview judges.
func (k *Console) facts(ctx context.Context) (f facts, err error) {
	f.now = k.now()
	f.kafkaSince, f.kafka = k.index.Kafka()
	if f.kafka == nil {
		c := k.cluster.Get(ctx)
		f.workers, f.workersErr, f.lags, f.behind = c.Workers, c.GroupErr, c.Lags, c.Behind
	}
	if f.edges, err = k.index.Edges.All(ctx); err != nil {
		return f, err
	}
	if f.cameras, err = k.index.Cameras.All(ctx, k.now()); err != nil {
		return f, err
	}
	if f.letters, err = k.index.DeadLetters.Count(ctx, k.box.undecided); err != nil {
		return f, err
	}
	for _, b := range k.blockedEdges() {
		f.blocked = append(f.blocked, b.Edge)
	}
	if f.incomplete, err = k.index.Scenes.Incomplete(ctx, maxRows); err != nil {
		return f, err
	}
	if f.inWork, err = k.index.Scenes.InWork(ctx); err != nil {
		return f, err
	}
	if f.alerts, err = k.index.Events.AlertsSince(ctx, f.now.Add(-time.Hour)); err != nil {
		return f, err
	}
	if k.device.Device != nil {
		o := k.device.Outbox()
		f.outbox = &o
	}
	return f, nil
}
