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
	"cloudcanvas/shared/vision"
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

func TestAFramesTraceIsFoundAgainByItsPixelsAndItsTime(t *testing.T) {
	tr, _ := tracer(t)
	defer tr.Close()
	var f frameTraces
	start := time.Now()
	parents := make([]string, recalled+10)
	images := make([]vision.Image, len(parents))
	for n := range parents {
		images[n] = vision.Image{W: 1, H: 1, Pix: []byte{1, 2, 3}}
		p := capture.Picture{Stream: "gate", Frame: int64(n), At: start.Add(time.Duration(n) * 40 * time.Millisecond), Image: images[n]}
		parents[n] = captured(tr, p)
		f.note(parents[n], p)
	}
	last := len(parents) - 1
	at := func(n int) time.Time {
		return start.Add(time.Duration(n) * 40 * time.Millisecond).Truncate(time.Millisecond)
	}
	if got := f.at(at(last)); got == "" || got != parents[last] {
		t.Errorf("by its time %q, want %q", got, parents[last])
	}
	if got := f.of(images[last-3 : last-2]); got != parents[last-3] {
		t.Errorf("by its pixels %q, want %q", got, parents[last-3])
	}
	if f.at(at(0)) != "" || f.of(nil) != "" || f.of([]vision.Image{{}}) != "" {
		t.Error("a trace is found for a frame that is forgotten, or for none")
	}
}

func TestWhatBelongsToNoPictureBeginsItsTraceAtItsCommit(t *testing.T) {
	tr, receiver := tracer(t)
	b := box{trace: tr}
	drafts := []draft{{Draft: outbox.Draft{Kind: event.Reading, Stream: "rain"}}, {Draft: outbox.Draft{Kind: event.Tile, Stream: "coast", Attrs: event.Attrs{TraceParent: captured(tr, capture.Picture{Stream: "coast"})}}}}
	given := drafts[1].Attrs.TraceParent
	b.begun(drafts)
	b.committed(drafts, time.Now())
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
	var b box
	drafts := []draft{{Draft: outbox.Draft{Kind: event.Reading}}}
	b.begun(drafts)
	b.committed(drafts, time.Now())
	if captured(nil, capture.Picture{}) != "" || drafts[0].Attrs.TraceParent != "" {
		t.Errorf("%+v", drafts)
	}
}
