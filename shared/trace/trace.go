// Package trace follows single items through the stages with OpenTelemetry: W3C trace context in the
// envelope's traceparent, spans over OTLP/HTTP. It is off unless an endpoint is named; off, it costs a
// comparison with nil and allocates nothing.
//
// Stages pass work on in batches and through databases, so spans are made when they are over, with the
// times at which they began and ended.
package trace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"cloudcanvas/shared/event"
)

// Names of spans, in the order of an item's way.
const (
	Capture = "capture"
	Screen  = "screen"
	Infer   = "infer"
	Commit  = "commit"
	Send    = "send"
	Bridge  = "bridge"
	Worker  = "worker"
	Decode  = "worker decode"
	Forward = "worker forward"
	Post    = "worker post"
	Publish = "mosaic publish"
)

// Tracer makes spans. A nil one makes none. Safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Attr says something about a span.
type Attr struct {
	Key    string
	Text   string
	Number int64 // where Text is empty
}

// Failure marks a span as failed, with the reason.
const Failure = "error"

// On says whether spans are exported.
func (t *Tracer) On() bool { return t != nil }

// Span makes one, below the span that parent names, and gives the traceparent for those below it.
// Without a parent it begins a trace: whether that is exported at all is the sampler's choice, which those
// below follow.
func (t *Tracer) Span(parent, name string, from, to time.Time, attrs ...Attr) (traceparent string) {
	if t == nil {
		return ""
	}
	_, span := t.tracer.Start(within(parent), name, trace.WithTimestamp(from), trace.WithSpanKind(kindOf(name)))
	if span.IsRecording() {
		for _, a := range attrs {
			switch {
			case a.Key == Failure:
				span.SetStatus(codes.Error, a.Text)
			case a.Text != "":
				span.SetAttributes(attribute.String(a.Key, a.Text))
			default:
				span.SetAttributes(attribute.Int64(a.Key, a.Number))
			}
		}
	}
	span.End(trace.WithTimestamp(to))
	return format(span.SpanContext())
}

type parentKey struct{}

// WithParent is ctx with the span that parent names, for Parent; an empty parent leaves ctx as it is.
func WithParent(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return context.WithValue(ctx, parentKey{}, parent)
}

// Parent is what WithParent has put into ctx, or empty.
func Parent(ctx context.Context) (parent string) {
	parent, _ = ctx.Value(parentKey{}).(string)
	return parent
}

// Item is Span for something that was done with an item, which says what it is.
func (t *Tracer) Item(i *event.Item, name string, from, to time.Time, attrs ...Attr) (traceparent string) {
	if t == nil {
		return ""
	}
	all := append([]Attr{
		{Key: "canvas.item.id", Text: i.ID.String()}, {Key: "canvas.edge", Text: i.Edge}, {Key: "canvas.stream", Text: i.Stream},
		{Key: "canvas.kind", Text: string(i.Kind)}, {Key: "canvas.subject", Text: i.Subject},
	}, attrs...)
	return t.Span(Of(i), name, from, to, all...)
}

// Of is the trace context of an item: what its capture gave it, or else one that is made of its id, so
// that the cloud's spans of an item from an edge that traces nothing still are one trace.
func Of(i *event.Item) string {
	if i.Attrs.TraceParent != "" {
		return i.Attrs.TraceParent
	}
	sum := sha256.Sum256(i.ID[:])
	return "00-" + hex.EncodeToString(i.ID[:]) + "-" + hex.EncodeToString(sum[:8]) + "-01"
}

// ID is the id of an item's trace, as tracing backends show it.
func ID(i *event.Item) string {
	if c, ok := parse(Of(i)); ok {
		return c.TraceID().String()
	}
	return ""
}

func kindOf(name string) trace.SpanKind {
	switch name {
	case Send:
		return trace.SpanKindProducer
	case Bridge, Worker:
		return trace.SpanKindConsumer
	}
	return trace.SpanKindInternal
}

// within is a context whose span is the one that parent names; where parent can't be read, none.
func within(parent string) context.Context {
	c, ok := parse(parent)
	if !ok {
		return context.Background()
	}
	return trace.ContextWithRemoteSpanContext(context.Background(), c)
}

// parse reads version-trace-parent-flags (W3C Trace Context, 3.2). Later versions may say more behind
// the flags, which is passed over as the standard wants.
func parse(s string) (c trace.SpanContext, ok bool) {
	const length = 2 + 1 + 32 + 1 + 16 + 1 + 2
	if len(s) < length || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" || s[:2] == "00" && len(s) != length || len(s) > length && s[length] != '-' {
		return c, false
	}
	version, err := hex.DecodeString(s[:2])
	if err != nil || len(version) != 1 {
		return c, false
	}
	id, err := trace.TraceIDFromHex(s[3:35])
	if err != nil {
		return c, false
	}
	span, err := trace.SpanIDFromHex(s[36:52])
	if err != nil {
		return c, false
	}
	flags, err := hex.DecodeString(s[53:55])
	if err != nil {
		return c, false
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.TraceFlags(flags[0]) & trace.FlagsSampled, Remote: true}), true
}

func format(c trace.SpanContext) string {
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-" + c.TraceFlags().String()
}

// patience is how long the last spans may take to be delivered when a process stops.
const patience = 3 * time.Second

// Close delivers what is left, for a few seconds at most.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	t.provider.Shutdown(ctx) // the exporter has logged what failed
}
