package mosaic

import (
	"context"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
)

// finished is what canvas.products says of a complete product, so that what is read a second time
// does not take its place.
type finished struct {
	of      string
	epoch   event.Epoch
	through uint64
}

// recall learns from canvas.products what is finished.
func (m *Mosaic) recall(ctx context.Context) error {
	return m.insist(ctx, "reading finished products", func() error {
		return eachProduct(ctx, m.Queue, func(e queue.Entry, p Product) {
			m.remember(p)
			m.places.locate(e, p)
		})
	})
}

func (m *Mosaic) remember(p Product) {
	k := key{p.Kind, p.Edge, p.Name}
	if !p.Complete {
		delete(m.finished, k)
		return
	}
	f := finished{of: p.Of}
	if p.Camera != nil {
		f.epoch, f.through = p.Camera.Epoch, p.Camera.Through
	}
	m.finished[k] = f
}
