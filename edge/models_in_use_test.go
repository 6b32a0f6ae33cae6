package edge

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/model/modeltest"
)

// TestNoModelThatIsOfferedTakesTheAgentDown tries what the cloud might offer as the agent does, twice: the
// second start knows what became of the first trial.
func TestNoModelThatIsOfferedTakesTheAgentDown(t *testing.T) {
	a := &Agent{log: slog.New(slog.DiscardHandler), config: DefaultConfig()}
	a.config.Models.Layout = infer.Layout{Remember: t.TempDir(), TrialTime: time.Second, TrialMemory: 1 << 30}
	try := func(ctx context.Context, onnx []byte) error {
		repository := t.TempDir()
		modeltest.Write(t, repository, "stranger", "2", onnx)
		r, err := model.Open(repository)
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Find("stranger@2")
		if err != nil {
			t.Fatal(err)
		}
		return a.tryModel(ctx, m)
	}
	for name, onnx := range modeltest.SeenInTheFile("/proc/self/environ") {
		if err := try(t.Context(), onnx); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, onnx := range modeltest.SeenOnTrial() {
		for range 2 {
			if err := try(t.Context(), onnx); err == nil {
				t.Errorf("%s: taken", name)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := try(ctx, onnx); err == nil {
			t.Errorf("%s: taken", name)
		}
		cancel()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := try(ctx, modeltest.Honest()); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	a.config.Models.Layout = infer.Layout{Remember: t.TempDir()}
	if err := try(t.Context(), modeltest.Honest()); err != nil {
		t.Errorf("honest: %v", err)
	}
}
