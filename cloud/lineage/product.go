package lineage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// product is what is read of an announcement in canvas.products.
type product struct {
	Kind     string
	Name     string
	Edge     string
	Folder   string
	Complete bool
	Missing  []string
	Lacking  int
	Camera   *struct {
		Epoch   string
		Through uint64
	}
}

// addProducts adds the products that the item went into, the latest of each.
func (f Finder) addProducts(ctx context.Context, s *History, a arrival) error {
	name := a.item.Attrs.Scene
	if name == "" {
		name = a.item.Stream
	}
	if name == "" || a.item.Kind == event.Ack || a.item.Kind == event.Answer || a.item.Kind == event.Reading {
		return nil
	}
	var latest *Step
	var err error
	for _, key := range keysOf(event.Item{Kind: event.Product, Edge: a.item.Edge, Stream: name, Attrs: event.Attrs{Scene: a.item.Attrs.Scene}}) {
		err = errors.Join(err, f.scan(ctx, span{topic: event.ProductsTopic, key: key, from: a.record.Time.Add(-skew)}, func(r kafka.Record) error {
			var p product
			if h := headersOf(r); h.subject != name || json.Unmarshal(r.Value, &p) != nil || p.Name != name || p.Edge != "" && p.Edge != a.item.Edge || !p.has(a.item) {
				return nil
			}
			step := stepAt(r, "product published", fmt.Sprintf("%s %s, in %s%s", p.Kind, p.Name, p.Folder, p.lacks()))
			if latest == nil || !step.At.Before(latest.At) {
				latest = &step
			}
			return nil
		}))
	}
	if err == nil && latest != nil {
		s.Steps = append(s.Steps, *latest)
		if s.State == Received || s.State == HasResult {
			s.State = InProduct
		}
	}
	return err
}

// has says whether the item is in the product: a tile that it says is missing is not.
func (p product) has(i event.Item) bool {
	if i.Attrs.Tile != "" && slices.Contains(p.Missing, i.Attrs.Tile) {
		return false
	}
	if p.Camera != nil && p.Camera.Through > 0 && string(i.Epoch) == p.Camera.Epoch {
		return i.Seq <= p.Camera.Through
	}
	return true
}

func (p product) lacks() string {
	if p.Complete {
		return ""
	}
	return fmt.Sprintf(", which still lacks %d", p.Lacking)
}

// keysOf are the keys that records about an item's scene or camera bear: now, and before keys named
// the edge.
func keysOf(i event.Item) []string {
	_, key := event.Route(i)
	if former := i.FormerKey(); former != key {
		return []string{key, former}
	}
	return []string{key}
}
