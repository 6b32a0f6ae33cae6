package trace

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/trace/tracetest"
)

func open(t testing.TB, o Options) *Tracer {
	t.Helper()
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_SERVICE_NAME"} {
		t.Setenv(name, "")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Service, o.Instance = "canvas-edge", "mast-7"
	tracer, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

func TestNobodyIsToldWhereNoEndpointIsNamed(t *testing.T) {
	tracer := open(t, Options{})
	if tracer.On() {
		t.Fatal("it is on by default")
	}
	if parent := tracer.Span("", Capture, time.Now(), time.Now()); parent != "" {
		t.Errorf("it gives the traceparent %q", parent)
	}
	tracer.Close()
}

func TestTracingThatIsOffAllocatesNothing(t *testing.T) {
	var off *Tracer
	item := event.Item{Stream: "gate"}
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		off.Span("", Capture, now, now, Attr{Key: "canvas.stream", Text: item.Stream}, Attr{Key: "n", Number: 3})
		off.Item(&item, Bridge, now, now, Attr{Key: "topic", Text: "canvas.work"})
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkTracingThatIsOff(b *testing.B) {
	var off *Tracer
	item := event.Item{Stream: "gate"}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		off.Span("", Capture, now, now, Attr{Key: "canvas.stream", Text: item.Stream}, Attr{Key: "n", Number: 3})
		off.Item(&item, Bridge, now, now, Attr{Key: "topic", Text: "canvas.work"})
	}
}

func TestSpansOfOneItemAreOneTrace(t *testing.T) {
	receiver := tracetest.Start(t)
	tracer := open(t, Options{Endpoint: receiver.URL + "/"})
	began := time.Now().Add(-time.Second)
	item := event.Item{ID: event.NewID(began), Edge: "mast-7", Kind: event.Tile, Subject: "alpha/0_0"}
	item.Attrs.TraceParent = tracer.Span("", Capture, began, began.Add(time.Millisecond), Attr{Key: "canvas.frame", Number: 4})
	worker := tracer.Item(&item, Worker, began, time.Now(), Attr{Key: Failure, Text: "not a TIFF"})
	tracer.Span(worker, Decode, began, began)
	tracer.Close()
	spans := receiver.Spans()
	if len(spans) != 3 {
		t.Fatalf("%d spans came", len(spans))
	}
	root, work, decode := spans[0], spans[1], spans[2]
	if root.Parent != "" || work.Parent != root.ID || decode.Parent != work.ID || work.Trace != root.Trace || decode.Trace != root.Trace || root.Trace != ID(&item) {
		t.Errorf("%+v", spans)
	}
	if root.Nanos != int64(time.Millisecond) || !work.Failed || work.Attrs["canvas.item.id"] != item.ID.String() || work.Service != "canvas-edge" {
		t.Errorf("%+v", spans)
	}
}

func TestAnItemWithoutContextHasTheTraceOfItsId(t *testing.T) {
	item := event.Item{ID: event.NewID(time.Now())}
	again := item
	if Of(&item) != Of(&again) {
		t.Error("it differs from time to time")
	}
	if c, ok := parse(Of(&item)); !ok || [16]byte(c.TraceID()) != item.ID || !c.IsSampled() {
		t.Errorf("%s", Of(&item))
	}
	if item.Attrs.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"; ID(&item) != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("%s", ID(&item))
	}
}

func TestWhatCaptureDidNotSampleNobodyTells(t *testing.T) {
	receiver := tracetest.Start(t)
	tracer := open(t, Options{Endpoint: receiver.URL})
	tracer.Span("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", Bridge, time.Now(), time.Now())
	tracer.Close()
	if spans := receiver.Spans(); len(spans) != 0 {
		t.Errorf("%+v", spans)
	}
}

func TestTheStandardEnvironmentNamesTheReceiver(t *testing.T) {
	receiver := tracetest.Start(t)
	if open(t, Options{}).On() {
		t.Fatal("on without an endpoint")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_SERVICE_NAME", "mine")
	tracer, err := Open(t.Context(), Options{Service: "canvas-edge", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	tracer.Span("", Capture, time.Now(), time.Now())
	tracer.Close()
	if spans := receiver.Spans(); len(spans) != 1 || spans[0].Service != "mine" {
		t.Errorf("%+v", spans)
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if tracer, err := Open(t.Context(), Options{Log: slog.New(slog.DiscardHandler)}); tracer.On() || err != nil {
		t.Errorf("it can't be switched off: %v", err)
	}
}

func TestAReceiverThatFailsIsToldOfOnceAndHoldsNothingUp(t *testing.T) {
	var well atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	var log bytes.Buffer
	tracer := open(t, Options{Endpoint: server.URL, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		tracer.Span("", Capture, time.Now(), time.Now())
		tracer.provider.ForceFlush(t.Context())
	}
	well.Store(true)
	tracer.Span("", Capture, time.Now(), time.Now())
	tracer.Close()
	if n := strings.Count(log.String(), "can't be exported"); n != 1 || !strings.Contains(log.String(), "exported again") {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
}

func FuzzParse(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := parse(s)
		if ok != c.IsValid() {
			t.Errorf("%q: %v, but %v", s, ok, c)
		}
		if ok && !strings.HasPrefix(s[3:], c.TraceID().String()) {
			t.Errorf("%q is read as %s", s, format(c))
		}
	})
}
