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

// ownersPatience is how long a history waits for the coordinator. Without it, it lacks only who holds a lease now.
const ownersPatience = 4 * time.Second

// Lineage finds what became of items from what the cloud's services hold.
func Lineage(k *kafka.Client, o lineage.Objects, z coord.Coordinator) lineage.Finder {
	return lineage.Finder{
		Log: k, Objects: o, Group: worker.Group,
		Epochs: func(ctx context.Context) ([]lineage.EpochState, error) { return epochStates(ctx, k) },
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

// Objects is the store as configured, opened for each object: for one query that may need none.
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

// epochStates are how far the bridge has received each epoch, from its checkpoints.
func epochStates(ctx context.Context, k *kafka.Client) ([]lineage.EpochState, error) {
	edges, err := dedup.Report(ctx, k)
	all := make([]lineage.EpochState, len(edges))
	for n, e := range edges {
		all[n] = lineage.EpochState{Edge: e.Edge, Epoch: e.Epoch, Through: e.Through, Highest: e.Highest, Gaps: e.Gaps}
	}
	return all, err
}
