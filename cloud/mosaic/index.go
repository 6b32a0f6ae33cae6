package mosaic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
)

// Listed is a product as it was last announced.
type Listed struct {
	Product
	At time.Time `json:"at"` // when it was made
}

// ErrNoProduct says that no product of that name was announced.
var ErrNoProduct = errors.New("there is no such product")

// Index is the last state of every product, by kind, name and edge. What is missing is counted, not
// named: see Find.
func Index(ctx context.Context, c Catalogue) ([]Listed, error) {
	last := map[key]standing{}
	err := eachProduct(ctx, c, func(e queue.Entry, p Product) {
		p.Missing = nil
		latest(last, e, p)
	})
	return listed(last, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Edge, b.Edge))
	}), err
}

// standing is the last announcement of a product so far.
type standing struct {
	Listed
	former bool // under its key of before, without the edge
}

// latest keeps the newer announcement of a product: in a topic of several partitions one under a key
// of before may be read after the one that took its place.
func latest(last map[key]standing, e queue.Entry, p Product) {
	k, former := key{p.Kind, p.Edge, p.Name}, string(e.Key) == e.Item.FormerKey()
	if known, ok := last[k]; ok && former && !known.former {
		return
	}
	last[k] = standing{Listed{p, e.Item.Time}, former}
}

// listed are the last announcements in an order.
func listed(last map[key]standing, order func(a, b Listed) int) (all []Listed) {
	for _, s := range last {
		all = append(all, s.Listed)
	}
	slices.SortFunc(all, order)
	return all
}

// Find is the last state of the products of that name: one, or one of each edge that has it.
func Find(ctx context.Context, c Catalogue, name string) ([]Listed, error) {
	last := map[key]standing{}
	err := eachProduct(ctx, c, func(e queue.Entry, p Product) {
		if p.Name == name {
			latest(last, e, p)
		}
	})
	if err == nil && len(last) == 0 {
		err = fmt.Errorf("%q: %w: `scenes ls` shows what there is", name, ErrNoProduct)
	}
	return listed(last, func(a, b Listed) int { return cmp.Compare(a.Edge, b.Edge) }), err
}

// eachProduct hands on every announcement in canvas.products, a product's own in their order. What
// can't be read is passed over.
func eachProduct(ctx context.Context, c Catalogue, handle func(queue.Entry, Product)) error {
	partitions, err := c.Partitions(ctx, event.ProductsTopic)
	if err != nil {
		return err
	}
	for partition := range partitions {
		err := c.Scan(ctx, event.ProductsTopic, partition, func(e queue.Entry) error {
			if e.Err == nil {
				if p, err := ParseProduct(e.Item); err == nil {
					handle(e, p)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
