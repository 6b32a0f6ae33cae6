package appliance

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/story"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/edge"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/trace/tracetest"
)

// sample is a file that set-up brought.
func sample(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../../.deps/samples", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not here: run make setup", path)
	}
	return path
}

func TestATilesWayFromCaptureToProductIsOneTrace(t *testing.T) {
	receiver := tracetest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	models, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Edge: edge.DefaultConfig(), Cloud: cloud.DefaultConfig(), Work: t.TempDir(), Models: models, Log: slog.New(slog.DiscardHandler)}
	o.Edge.Edge = "mast-7"
	scene := edge.SceneSource{Name: "coast", Path: sample(t, "sentinel2.tif")}
	scene.SetDefaults()
	o.Edge.Scenes = []edge.SceneSource{scene}
	o.Cloud.Products = t.TempDir()
	o.Cloud.Worker.Models = []worker.Choice{{Want: "segment", Model: worker.SpectralRGB}}
	o.Cloud.Mosaic.Settle = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	told := tellWhenMade(ctx, t, a)
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	whole := []string{trace.Capture, trace.Screen, trace.Commit, trace.Send, trace.Bridge, trace.Worker, trace.Decode, trace.Forward, trace.Post, trace.Publish}
	spans := map[string]tracetest.Span{}
	services := map[string]bool{}
	for _, s := range receiver.Spans() {
		if s.Trace == told.Trace {
			spans[s.Name] = s
			services[s.Service] = true
		}
	}
	root := spans[trace.Capture]
	for _, name := range whole {
		s, ok := spans[name]
		parent := root.ID
		switch {
		case name == trace.Capture:
			parent = ""
		case strings.HasPrefix(name, "worker "):
			parent = spans[trace.Worker].ID
		}
		if !ok || s.Parent != parent || s.Failed {
			t.Errorf("%s: %+v, below %q", name, s, parent)
		}
	}
	if !services["canvas-edge"] || !services["canvas-cloud"] || spans[trace.Worker].Attrs["canvas.item.id"] != told.ID || spans[trace.Capture].Attrs["canvas.tile"] == "" {
		t.Errorf("%v %+v", services, spans[trace.Worker])
	}
}

// tellWhenMade waits for the scene's product and tells the story of a tile that is in it.
func tellWhenMade(ctx context.Context, t *testing.T, a *Appliance) story.Story {
	t.Helper()
	var worker, mosaic *cloud.Cloud
	for _, c := range a.parts {
		switch c.ID {
		case "worker":
			worker = c
		case "mosaic":
			mosaic = c
		}
	}
	teller := cloud.Teller(a.Kafka, mosaic.Objects(), worker.Coord)
	for {
		stories, err := teller.Tell(ctx, story.Question{Subject: "coast/0_0"}, 0)
		if err == nil && stories[0].State == story.Made {
			s := stories[0]
			seen := slices.IndexFunc(s.Steps, func(st story.Step) bool { return st.Topic == event.ResultsTopic })
			if seen < 0 || s.Steps[seen].Worker != "worker" || s.Steps[seen].Lease == "" || s.Steps[seen].Model == "" {
				t.Errorf("%+v", s.Steps)
			}
			return s
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the tile is in no product: %+v %v", stories, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
