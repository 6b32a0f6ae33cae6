package console

import (
	"context"
	"net/http"
	"time"
)

type linkBody struct {
	Edges  []Edge
	Outbox *Outbox
	Drops  []Drop
}

func (k *Console) linkPage(r *http.Request) (any, error) { return k.link(r.Context()) }

func (k *Console) link(ctx context.Context) (body linkBody, err error) {
	if body.Edges, err = k.index.edges(ctx); err != nil {
		return body, err
	}
	if k.Device != nil {
		o := k.Device.Outbox()
		body.Outbox = &o
	}
	body.Drops, err = k.index.drops(ctx)
	return body, err
}

type clusterBody struct {
	Cluster
	Kafka string // why it can't be reached
	Since time.Time
}

func (k *Console) clusterPage(r *http.Request) (any, error) {
	since, err := k.reach.get()
	if err != nil {
		return clusterBody{Kafka: err.Error(), Since: since}, nil
	}
	return clusterBody{Cluster: k.cluster.get(r.Context())}, nil
}
