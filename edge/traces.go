package edge

import (
	"context"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/trace"
)

// captured begins a picture's trace. A picture that does not say when its reading began was there at
// once. It gives "" where nothing is traced.
func captured(t *trace.Tracer, p capture.Picture) (parent string) {
	if !t.On() {
		return ""
	}
	now := time.Now()
	from := p.Began
	if from.IsZero() {
		from = now
	}
	attrs := []trace.Attr{{Key: "canvas.stream", Text: p.Stream}, {Key: "canvas.frame", Number: p.Frame}, {Key: "canvas.time", Text: p.At.UTC().Format(time.RFC3339Nano)}}
	if p.Tile != nil {
		attrs = append(attrs, trace.Attr{Key: "canvas.tile", Text: p.Tile.Name()})
	}
	return t.Span("", trace.Capture, from, now, attrs...)
}

// committed tells of drafts' way into the buffer. What belongs to no traced picture (a reading, a
// manifest) begins its trace here.
func (b box) committed(drafts []draft, from time.Time) {
	if !b.trace.On() {
		return
	}
	now := time.Now()
	for _, d := range drafts {
		b.trace.Span(d.Attrs.TraceParent, trace.Commit, from, now, describe(d.Draft)...)
	}
}

func (b box) begun(drafts []draft) {
	if !b.trace.On() {
		return
	}
	now := time.Now()
	for i := range drafts {
		if d := &drafts[i]; d.Attrs.TraceParent == "" {
			d.Attrs.TraceParent = b.trace.Span("", trace.Capture, now, now, describe(d.Draft)...)
		}
	}
}

func describe(d outbox.Draft) []trace.Attr {
	return []trace.Attr{{Key: "canvas.kind", Text: string(d.Kind)}, {Key: "canvas.stream", Text: d.Stream}, {Key: "canvas.subject", Text: d.Subject},
		{Key: "canvas.bytes", Number: int64(len(d.Data))}}
}

// inferred tells of a network's run.
func (g guarded) inferred(ctx context.Context, from time.Time, images int, err error) {
	if !g.trace.On() {
		return
	}
	attrs := []trace.Attr{{Key: "canvas.model", Text: g.model.Name}, {Key: "canvas.images", Number: int64(images)}}
	if err != nil {
		attrs = append(attrs, trace.Attr{Key: trace.Failure, Text: err.Error()})
	}
	if parent := trace.Parent(ctx); parent != "" {
		g.trace.Span(parent, trace.Infer, from, time.Now(), attrs...)
	}
}
