package edge

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model/modeltest"
	"cloudcanvas/shared/vision"
)

// TestWhatANetworkFailedOnAndThrewAwayIsCounted gives a detector that says one box and two that are none a
// picture that it can look at, and one that it can't.
func TestWhatANetworkFailedOnAndThrewAwayIsCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "best.onnx")
	onnx := modeltest.Export(64, map[string]string{"names": "{0: 'cat'}"}, modeltest.Given{Name: "output0", Dims: []int64{1, 300, 6},
		Values: []float32{16, 8, 48, 40, 0.9, 0, 16, 8, 48, 40, 0.8, 0, 16, 8, 48, 40, 0.8, 0, 16, 8, 16, 40, 0.7, 0}})
	if err := os.WriteFile(path, onnx, 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := infer.Recognise(t.Context(), path, t.TempDir(), nil, infer.Layout{Sessions: 1})
	if err != nil {
		t.Fatal(err)
	}
	net, report, err := infer.Open(t.Context(), g.Model, infer.ORTCPU, infer.Layout{Sessions: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	l := &loadedModel{Network: net, model: g.Model, report: report}
	attempts, err := crashguard.Open(t.TempDir(), crashguard.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer attempts.Close()
	a := &Agent{networks: &networks{open: map[string]*loadedModel{"best": l}}}
	seen := guardedNetwork{loadedModel: l, attempts: attempts, source: "yard"}
	if _, err := seen.Run(t.Context(), []vision.Image{{W: 64, H: 64, Pix: make([]byte, 64*64*3)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := seen.Run(t.Context(), []vision.Image{{W: 64, H: 64, Pix: make([]byte, 5)}}); !errors.Is(err, infer.ErrImage) {
		t.Fatal(err)
	}
	got := a.networkCounts()
	if len(got) != 1 || got[0].Model != "best" || got[0].Pictures != 2 || got[0].Failed != 1 || got[0].Candidates != 4 || got[0].ThrownAway != 1 {
		t.Errorf("%+v", got)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(networkMetrics{a})
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP canvas_edge_model_failed_pictures_total Pictures on which a model failed; nothing was detected in them.
# TYPE canvas_edge_model_failed_pictures_total counter
canvas_edge_model_failed_pictures_total{model="best"} 1
# HELP canvas_edge_model_thrown_boxes_total Boxes above a detector's score floor that can't be boxes: not finite, without a size, or of a class without a label.
# TYPE canvas_edge_model_thrown_boxes_total counter
canvas_edge_model_thrown_boxes_total{model="best"} 1
`), "canvas_edge_model_failed_pictures_total", "canvas_edge_model_thrown_boxes_total"); err != nil {
		t.Error(err)
	}
}
