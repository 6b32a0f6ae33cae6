package mosaic

import (
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/trace"
)

// traced is an item whose trace ends with the product that it is in.
type traced struct {
	parent string
	at     time.Time // when it was folded
}

// maxTraced bounds the traces that one product ends: those that came first.
const maxTraced = 1024

// heard notes an item's trace context for the product, and where spans are told, the item itself.
func (r *record) heard(i *event.Item, now time.Time, told bool) {
	if i.Attrs.TraceParent != "" && (r.context == "" || i.Kind == event.Scene) {
		r.context = i.Attrs.TraceParent
	}
	if told && len(r.traces) < maxTraced {
		r.traces = append(r.traces, traced{trace.Of(i), now})
	}
}

// told ends the traces of the items that a product was made of: each tells of its own wait for it.
func (m *Mosaic) told(r *record, p Product) {
	now := time.Now()
	for _, t := range r.traces {
		m.Trace.Span(t.parent, trace.Publish, t.at, now, trace.Attr{Key: "canvas.product", Text: p.Name}, trace.Attr{Key: "canvas.folder", Text: p.Folder})
	}
	r.traces = nil
}
