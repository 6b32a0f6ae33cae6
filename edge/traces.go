package edge

import (
	"context"
	"sync"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
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

// recalled is how many frames of a camera are remembered by their traces: more than are under way, and
// than a batch of detections spans.
const recalled = 256

// frameTraces finds the trace of a frame again behind the detection, which knows frames by their pixels
// and what it found by their time.
type frameTraces struct {
	mu   sync.Mutex
	last [recalled]frameTrace
	next int
}

type frameTrace struct {
	parent string
	pixels *byte
	at     int64 // milliseconds
}

func (f *frameTraces) note(parent string, p capture.Picture) {
	if parent == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last[f.next] = frameTrace{parent, firstPixel(p.Image), p.At.UnixMilli()}
	f.next = (f.next + 1) % recalled
}

func firstPixel(im vision.Image) *byte {
	if len(im.Pix) == 0 {
		return nil
	}
	return &im.Pix[0]
}

// find is the newest trace that fits, or "".
func (f *frameTraces) find(fits func(frameTrace) bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range recalled {
		if e := f.last[(f.next-1-n+recalled)%recalled]; e.parent != "" && fits(e) {
			return e.parent
		}
	}
	return ""
}

func (f *frameTraces) at(t time.Time) string {
	ms := t.UnixMilli()
	return f.find(func(e frameTrace) bool { return e.at == ms })
}

func (f *frameTraces) of(in []vision.Image) string {
	if len(in) == 0 {
		return ""
	}
	pixels := firstPixel(in[0])
	return f.find(func(e frameTrace) bool { return e.pixels == pixels && pixels != nil })
}

type parentKey struct{}

// under lets what a network does be told below a span.
func under(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return context.WithValue(ctx, parentKey{}, parent)
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
	if parent, ok := ctx.Value(parentKey{}).(string); ok {
		g.trace.Span(parent, trace.Infer, from, time.Now(), attrs...)
	}
}
