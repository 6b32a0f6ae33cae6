package edge

import (
	"log/slog"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/trace/tracetest"
)

func tracer(t *testing.T) (*trace.Tracer, *tracetest.Receiver) {
	t.Helper()
	receiver := tracetest.Start(t)
	tr, err := trace.Open(t.Context(), trace.Options{Endpoint: receiver.URL, Service: "canvas-edge", Instance: "mast-7", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return tr, receiver
}

func TestWhatBelongsToNoPictureBeginsItsTraceAtItsCommit(t *testing.T) {
	tr, receiver := tracer(t)
	b := outboxBuffer{trace: tr}
	drafts := []draft{{Draft: outbox.Draft{Kind: event.Reading, Stream: "rain"}}, {Draft: outbox.Draft{Kind: event.Tile, Stream: "coast", Attrs: event.Attrs{TraceParent: captured(tr, capture.Picture{Stream: "coast"})}}}}
	given := drafts[1].Attrs.TraceParent
	b.traceNew(drafts)
	b.traceCommit(drafts, time.Now())
	tr.Close()
	if drafts[0].Attrs.TraceParent == "" || drafts[1].Attrs.TraceParent != given {
		t.Errorf("%+v", drafts)
	}
	roots := map[string]string{}
	commits := 0
	for _, s := range receiver.Spans() {
		if s.Name == trace.Capture {
			roots[s.Trace] = s.ID
		} else if commits++; s.Name != trace.Commit || s.Parent == "" || roots[s.Trace] != s.Parent {
			t.Errorf("%+v", s)
		}
	}
	if len(roots) != 2 || commits != 2 {
		t.Errorf("%d traces, %d commits", len(roots), commits)
	}
}

func TestAnEdgeThatExportsNothingAddsNoContext(t *testing.T) {
	var b outboxBuffer
	drafts := []draft{{Draft: outbox.Draft{Kind: event.Reading}}}
	b.traceNew(drafts)
	b.traceCommit(drafts, time.Now())
	if captured(nil, capture.Picture{}) != "" || drafts[0].Attrs.TraceParent != "" {
		t.Errorf("%+v", drafts)
	}
}
