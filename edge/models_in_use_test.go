package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/model/modeltest"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
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

func TestAnImageForANetworkIsKnownByItsPixels(t *testing.T) {
	g := guardedNetwork{loadedModel: &loadedModel{model: model.Model{}}, source: "survey"}
	frame := func(first byte) []vision.Image {
		return []vision.Image{{W: 2, H: 1, Pix: []byte{first, 2, 3, 4, 5, 6}}}
	}
	if in := g.input(frame(1)); in.Key != "" || len(in.Data) != 6 || in.Source != "survey" {
		t.Errorf("a frame is %+v", in)
	}
	tile := func(last float32) []vision.Image {
		return []vision.Image{{W: 2000, H: 1, Bands: []string{"red"}, Planes: [][]float32{append(make([]float32, 1999), last)}}}
	}
	a, b, again := g.input(tile(1)), g.input(tile(2)), g.input(tile(1))
	if a.Key == "" || a.Key == b.Key || a.Key != again.Key {
		t.Errorf("tiles are known as %q, %q and %q", a.Key, b.Key, again.Key)
	}
}

// badTile is a screener whose network killed the process at a tile before.
type badTile struct{}

func (badTile) screen(context.Context, capture.Picture) (screen.Decision, *vision.Mask, error) {
	return screen.Decision{}, nil, fmt.Errorf("tile: %w", crashguard.ErrQuarantined)
}
func (badTile) name() (string, string) { return "a network", "1" }
func (badTile) bands() []string        { return nil }

func TestAQuarantinedTileIsInTheManifestAndTheSceneGoesOn(t *testing.T) {
	a := agent(t)
	l := newScenePipeline(always(badTile{}), nil, a.buffer(), "key", a.liveness.Probe("field"), a.log)
	grid := raster.Grid{Width: 64, Height: 64, Size: 64}
	for tile := range grid.Tiles() {
		plane := make([]float32, 64*64)
		p := capture.Picture{Stream: "field", Tile: &tile, Scene: &capture.SceneInfo{ID: "field", Info: raster.Info{Width: 64, Height: 64}, Grid: grid},
			Image: vision.Image{W: 64, H: 64, Bands: []string{"blue", "green", "red"}, Planes: [][]float32{plane, plane, plane}}}
		if err := l.take(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.manifest.Tiles) != 1 || l.manifest.Tiles[0].Decision != event.TileDropped || l.manifest.Tiles[0].Reason != "quarantined" {
		t.Errorf("manifest %+v", l.manifest.Tiles)
	}
}

// fullDisk takes nothing for a while.
type fullDisk struct{ refusals int }

func (f *fullDisk) Commit(context.Context, ...outbox.Draft) ([]event.Item, error) {
	if f.refusals--; f.refusals >= 0 {
		return nil, errors.New("database or disk is full")
	}
	return nil, nil
}

func TestASceneWaitsForADiskThatIsFull(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	if err := commitPatiently(t.Context(), &fullDisk{refusals: 1}, outbox.Draft{}, quiet); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := commitPatiently(ctx, &fullDisk{refusals: 99}, outbox.Draft{}, quiet); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("told to stop: %v", err)
	}
}

func TestALiveSourceGoesOnWithoutWhatCouldNotBeCommitted(t *testing.T) {
	a := agent(t)
	full := errors.New("database or disk is full")
	if err := a.shed(t.Context(), "boiler", full); err != nil || a.shedding.count.Load() != 1 {
		t.Errorf("%v, %d shed", err, a.shedding.count.Load())
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.shed(stopped, "boiler", full); !errors.Is(err, full) || a.shedding.count.Load() != 1 {
		t.Errorf("while it stops: %v, %d shed", err, a.shedding.count.Load())
	}
}
