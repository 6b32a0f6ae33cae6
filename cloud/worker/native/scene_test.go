package native

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/queue"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is a worker over real models, with one item on its desk at a time and all around it in memory.
type scene struct {
	t       testing.TB
	work    chan queue.Entry
	results chan event.Item
	offset  int64
	dead    chan queue.DeadLetter
	deadly  bool // dead letters are expected
}

// newScene starts a worker. It skips where weights are missing.
func newScene(t testing.TB, cfg worker.Config) *scene {
	t.Helper()
	repository := weights(t)
	var names []string
	for _, c := range cfg.Models {
		names = append(names, c.Model)
	}
	for _, p := range cfg.Pipelines {
		for _, s := range p.Steps {
			names = append(names, s.Model)
		}
	}
	for _, name := range names {
		if name == worker.SpectralRGB {
			continue
		}
		if _, err := repository.Find(name); err != nil {
			t.Skipf("%v; make setup brings the weights, or $CANVAS_ASSETS says where they are", err)
		}
	}
	registry, err := worker.NewRegistry(cfg, Catalogue{Repository: repository, Engine: infer.ORTCPU})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, work: make(chan queue.Entry, 64), results: make(chan event.Item, 64), dead: make(chan queue.DeadLetter, 64)}
	w, err := worker.New(cfg, worker.Parts{Queue: s, Results: s, Dead: s, Decoder: Decoder{}, Memory: budget.New(256 << 20), Models: registry, Leases: s, Assignments: worker.Fixed{0}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, registry.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// weights are the models of the set-up and of the assets.
func weights(t testing.TB) *model.Repository {
	t.Helper()
	home, assets := os.Getenv("CANVAS_HOME"), os.Getenv("CANVAS_ASSETS")
	if home == "" {
		home = "../../../.deps"
	}
	if assets == "" {
		assets = "../../../../shared/assets"
	}
	var dirs []string
	for _, dir := range []string{filepath.Join(home, "models"), filepath.Join(assets, "models")} {
		if _, err := os.Stat(dir); err == nil {
			dirs = append(dirs, dir)
		}
	}
	repository, err := model.Open(dirs...)
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

// see lets the worker see one picture, and gives its last result and how many there were.
func (s *scene) see(want, media string, data []byte) (found worker.Found, results []event.Item) {
	s.t.Helper()
	s.put(want, media, data)
	late := time.After(2 * time.Minute)
	for {
		select {
		case r := <-s.results:
			results = append(results, r)
			if r.Type != "application/json" {
				continue
			}
			if err := json.Unmarshal(r.Data, &found); err != nil {
				s.t.Fatal(err)
			}
			return found, results
		case <-late:
			s.t.Fatal("no result within a minute")
		}
	}
}

// put gives the worker a picture to see.
func (s *scene) put(want, media string, data []byte) {
	item := event.Item{ID: event.NewID(time.Now()), Edge: "mast-1", Kind: event.Frame, Stream: "gate", Subject: "gate/1", Time: time.Now(),
		Attrs: event.Attrs{Want: want}, Type: media, SHA256: event.Sum(data), Data: data}
	s.work <- queue.Entry{Offset: s.offset, Item: item}
	s.offset++
}

func (s *scene) Committed(context.Context, string, int) (int64, error) { return 0, nil }
func (s *scene) Commit(context.Context, string, int, int64) error      { return nil }
func (s *scene) Reject(_ context.Context, l ...queue.DeadLetter) error {
	if !s.deadly {
		s.t.Errorf("dead letter: %+v", l)
	}
	for _, deadLetter := range l {
		s.dead <- deadLetter
	}
	return nil
}

func (s *scene) Read(ctx context.Context, _ string, _ int, _ int64, handle func([]queue.Entry) error) error {
	for {
		select {
		case e := <-s.work:
			if err := handle([]queue.Entry{e}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *scene) Append(_ context.Context, _ coord.Epoch, items ...event.Item) error {
	for _, i := range items {
		s.results <- i
	}
	return nil
}

func (s *scene) Own(ctx context.Context, _ string, own func(context.Context, coord.Lease) error) error {
	return own(ctx, noLease{})
}

type noLease struct{}

func (noLease) Epoch() coord.Epoch                 { return 1 }
func (noLease) Previous() string                   { return "" }
func (noLease) Note(context.Context, string) error { return nil }
