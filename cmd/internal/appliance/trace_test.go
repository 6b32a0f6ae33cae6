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
	"cloudcanvas/cloud/lineage"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/edge"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
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

// assetModels is the folder of models beside the checkout, or of $CANVAS_ASSETS; "" where there is none,
// and then the edge screens by rules, which has no span of a network.
func assetModels(t *testing.T) string {
	dir := os.Getenv("CANVAS_ASSETS")
	if dir == "" {
		dir = "../../../../shared/assets"
	}
	dir = filepath.Join(dir, "models")
	if _, err := os.Stat(filepath.Join(dir, "cloud_rgbiswir_256.onnx")); err != nil {
		t.Log("the screening network is not here: its span is not looked for")
		return ""
	}
	return dir
}

func TestATilesWayFromCaptureToProductIsOneTrace(t *testing.T) {
	receiver := tracetest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	whole := []string{trace.Capture, trace.Screen, trace.Commit, trace.Send, trace.Bridge, trace.Worker, trace.Decode, trace.Forward, trace.Post, trace.Publish}
	var folders []string
	if assets := assetModels(t); assets != "" {
		folders, whole = []string{assets}, append(whole, trace.Infer)
	}
	models, err := model.Open(folders...)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Edge: edge.DefaultConfig(), Cloud: cloud.DefaultConfig(), Work: t.TempDir(), Models: models, Log: slog.New(slog.DiscardHandler)}
	o.Edge.Edge = "mast-7"
	scene := edge.SceneSource{Name: "coast", Path: sample(t, "sentinel2.tif")}
	scene.SetDefaults()
	if len(folders) > 0 {
		scene.CloudModel = "cloud_rgbiswir_256"
	}
	o.Edge.Scenes = []edge.SceneSource{scene}
	o.Cloud.Products = t.TempDir()
	o.Cloud.Worker.Models = []worker.Choice{{Want: "segment", Model: worker.SpectralRGB}}
	o.Cloud.Mosaic.Settle = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	a, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	told := historyWhenMade(ctx, t, a)
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
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

// historyWhenMade waits for the scene's product and gives the history of a tile that is in it.
func historyWhenMade(ctx context.Context, t *testing.T, a *Appliance) lineage.History {
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
	finder := cloud.Lineage(a.Kafka, mosaic.Config.Objects(), worker.Coord)
	for {
		histories, err := finder.Find(ctx, lineage.Query{Subject: "coast/0_0"}, 0)
		if err == nil && histories[0].State == lineage.InProduct {
			s := histories[0]
			seen := slices.IndexFunc(s.Steps, func(st lineage.Step) bool { return st.Topic == event.ResultsTopic })
			last := s.Steps[len(s.Steps)-1]
			carried := ""
			if err := a.Kafka.Scan(ctx, last.Topic, last.Partition, last.Offset, last.Offset+1, func(r kafka.Record) error {
				product, err := r.Item()
				carried = product.Attrs.TraceParent
				return err
			}); err != nil || last.Topic != event.ProductsTopic || carried == "" {
				t.Errorf("the product carries the trace context %q: %+v %v", carried, last, err)
			}
			if seen < 0 || s.Steps[seen].Worker != "worker" || s.Steps[seen].Lease == "" || s.Steps[seen].Model == "" {
				t.Errorf("%+v", s.Steps)
			}
			return s
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the tile is in no product: %+v %v", histories, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
