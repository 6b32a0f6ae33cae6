package cloud

import (
	"context"
	"time"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cloud/story"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/kafka"
)

// ownersTake is how long a story waits for the coordinator. Without it, it lacks only who holds a lease now.
const ownersTake = 4 * time.Second

// Teller tells the stories of items from what the cloud's services hold.
func Teller(k *kafka.Client, o story.Objects, z coord.Coordinator) story.Teller {
	return story.Teller{
		Log: k, Objects: o, Group: worker.Group,
		Books: func(ctx context.Context) ([]story.Book, error) { return books(ctx, k) },
		Owners: func(ctx context.Context) (map[string]story.Owner, error) {
			ctx, cancel := context.WithTimeout(ctx, ownersTake)
			defer cancel()
			owners, err := z.Owners(ctx)
			all := make(map[string]story.Owner, len(owners))
			for what, o := range owners {
				all[what] = story.Owner{Member: o.Member, Epoch: int64(o.Epoch)}
			}
			return all, err
		},
	}
}

// Objects is the store as configured, opened for each object: for one question that may need none.
func (c Config) Objects() story.Objects { return storeAt{c.Store, c.Worker.ObjectBytes} }

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

// books are what the bridge has seen, from its checkpoints.
func books(ctx context.Context, k *kafka.Client) ([]story.Book, error) {
	edges, err := bridge.Report(ctx, k)
	all := make([]story.Book, len(edges))
	for n, e := range edges {
		all[n] = story.Book{Edge: e.Edge, Epoch: e.Epoch, Through: e.Through, Highest: e.Highest, Gaps: e.Gaps}
	}
	return all, err
}
