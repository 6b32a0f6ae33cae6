package console

import (
	"context"
	"net/http"
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
