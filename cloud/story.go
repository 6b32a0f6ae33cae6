package cloud

import (
	"context"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cloud/story"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/broker"
)

// Teller tells the stories of items from what the cloud's services hold. z and s may be nil: what the
// coordinator and the object store would say is then left out.
func Teller(c Config, k *broker.Kafka, s *store.Store, z coord.Coordinator) story.Teller {
	t := story.Teller{Log: k, Group: worker.Group, Books: func(ctx context.Context) ([]story.Book, error) { return books(ctx, k) }}
	if s != nil {
		t.Objects = objects{s, c.Worker.ObjectBytes}
	}
	if z != nil {
		t.Owners = func(ctx context.Context) (map[string]story.Owner, error) {
			owners, err := z.Owners(ctx)
			all := make(map[string]story.Owner, len(owners))
			for what, o := range owners {
				all[what] = story.Owner{Member: o.Member, Epoch: int64(o.Epoch)}
			}
			return all, err
		}
	}
	return t
}

// books are what the bridge has seen, from its checkpoints.
func books(ctx context.Context, k *broker.Kafka) ([]story.Book, error) {
	edges, err := bridge.Report(ctx, k)
	all := make([]story.Book, len(edges))
	for n, e := range edges {
		all[n] = story.Book{Edge: e.Edge, Epoch: e.Epoch, Through: e.Through, Highest: e.Highest, Gaps: e.Gaps}
	}
	return all, err
}
