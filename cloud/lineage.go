package cloud

import (
	"context"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/lineage"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/kafka"
)

// ownersPatience is how long a lineage waits for the coordinator. Without it, it lacks only who holds a lease now.
const ownersPatience = 4 * time.Second

// Lineage finds what became of items from what the cloud's services hold.
func Lineage(k *kafka.Client, o lineage.Objects, z coord.Coordinator) lineage.Teller {
	return lineage.Teller{
		Log: k, Objects: o, Group: worker.Group,
		Books: func(ctx context.Context) ([]lineage.Book, error) { return seen(ctx, k) },
		Owners: func(ctx context.Context) (map[string]lineage.Owner, error) {
			ctx, cancel := context.WithTimeout(ctx, ownersPatience)
			defer cancel()
			owners, err := z.Owners(ctx)
			all := make(map[string]lineage.Owner, len(owners))
			for what, o := range owners {
				all[what] = lineage.Owner{Member: o.Member, Epoch: int64(o.Epoch)}
			}
			return all, err
		},
	}
}

// Objects is the store as configured, opened for each object: for one question that may need none.
func (c Config) Objects() lineage.Objects { return storeAt{c.Store, c.Worker.ObjectBytes} }

type storeAt struct {
	url   string
	limit int64
}

func (a storeAt) Get(ctx context.Context, ref string) ([]byte, error) {
	s, err := store.Open(ctx, a.url)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Get(ctx, ref, a.limit)
}

// seen is what the bridge has seen, from its checkpoints.
func seen(ctx context.Context, k *kafka.Client) ([]lineage.Book, error) {
	edges, err := dedup.Report(ctx, k)
	all := make([]lineage.Book, len(edges))
	for n, e := range edges {
		all[n] = lineage.Book{Edge: e.Edge, Epoch: e.Epoch, Through: e.Through, Highest: e.Highest, Gaps: e.Gaps}
	}
	return all, err
}
