package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/vision"
)

// hall is a catalogue that watches what is loaded.
type hall struct {
	t       *testing.T
	bytes   map[string]int64 // of each model's file
	loaded  atomic.Int64     // footprints
	most    atomic.Int64
	opened  atomic.Int64
	failing atomic.Bool
}

type user struct {
	h      *hall
	need   int64
	inside atomic.Int64
	closed atomic.Bool
}

func (h *hall) Describe(name string) (Needs, error) {
	return Needs{Version: "1", Bytes: h.bytes[name]}, nil
}

func (h *hall) Open(_ context.Context, name string) (Network, error) {
	if h.failing.Load() {
		return nil, errors.New("the file is broken")
	}
	g := &user{h: h, need: footprint(h.bytes[name])}
	now := h.loaded.Add(g.need)
	for most := h.most.Load(); now > most && !h.most.CompareAndSwap(most, now); most = h.most.Load() {
	}
	h.opened.Add(1)
	return g, nil
}

func (g *user) Run(_ context.Context, in []vision.Image) ([]vision.Output, error) {
	g.inside.Add(1)
	defer g.inside.Add(-1)
	if g.closed.Load() {
		g.h.t.Error("a closed network ran")
	}
	return make([]vision.Output, len(in)), nil
}

func (g *user) Close() error {
	if g.inside.Load() != 0 || g.closed.Swap(true) {
		g.h.t.Error("a network was closed while it ran, or twice")
	}
	g.h.loaded.Add(-g.need)
	return nil
}

func (h *hall) registry(budget int64) (*Registry, error) {
	cfg := Config{ModelsMemoryBytes: budget}
	for name := range h.bytes {
		cfg.Models = append(cfg.Models, Choice{Want: "detect", Model: name})
	}
	return NewRegistry(cfg, h)
}

func (s *Registry) runOnce(ctx context.Context, name string) error {
	m := s.models[name].now()
	net, err := s.cache.take(ctx, m)
	if err != nil {
		return err
	}
	defer s.cache.give(m)
	_, err = net.Run(ctx, make([]vision.Image, 1))
	return err
}

func TestTheBudgetHoldsAndNoModelIsClosedWhileItRuns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &hall{t: t, bytes: map[string]int64{}}
		largest := int64(0)
		for n := range rapid.IntRange(2, 5).Draw(rt, "models") {
			size := rapid.Int64Range(1, 40<<20).Draw(rt, "bytes")
			h.bytes[fmt.Sprint(n)] = size
			largest = max(largest, footprint(size))
		}
		budget := largest + rapid.Int64Range(0, 2*largest).Draw(rt, "more")
		s, err := h.registry(budget)
		if err != nil {
			rt.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			order := rapid.SliceOfN(rapid.IntRange(0, len(h.bytes)-1), 1, 12).Draw(rt, "order")
			all.Go(func() {
				for _, n := range order {
					if err := s.runOnce(t.Context(), fmt.Sprint(n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if models, bytes, _ := s.cache.stats(); h.most.Load() > budget || bytes != h.loaded.Load() || models == 0 {
			rt.Fatalf("%d bytes loaded at most, %d is the budget; %d models of %d bytes are counted, %d are there", h.most.Load(), budget, models, bytes, h.loaded.Load())
		}
		if err := s.Close(); err != nil || h.loaded.Load() != 0 {
			rt.Fatalf("%v, %d bytes are left", err, h.loaded.Load())
		}
	})
}

func TestTheModelThatWasNotUsedForLongestMakesRoom(t *testing.T) {
	h := &hall{t: t, bytes: map[string]int64{"a": 1 << 20, "b": 1 << 20, "c": 1 << 20}}
	s, err := h.registry(2 * footprint(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range []string{"a", "b", "a", "c", "a"} { // c takes b's place
		if err := s.runOnce(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if models, _, unloaded := s.cache.stats(); h.opened.Load() != 3 || models != 2 || unloaded != 1 {
		t.Errorf("%d loads, %d models, %d unloaded", h.opened.Load(), models, unloaded)
	}
	if len(s.Versions()) != 3 {
		t.Errorf("versions %v: one that made room is still had", s.Versions())
	}
}

func TestARunningModelIsWaitedFor(t *testing.T) {
	h := &hall{t: t, bytes: map[string]int64{"a": 1 << 20, "b": 1 << 20}}
	s, err := h.registry(footprint(1 << 20))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := s.models["a"].now()
	if _, err := s.cache.take(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.runOnce(ctx, "b"); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v while the other runs", err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- s.runOnce(t.Context(), "b") }()
	s.cache.give(a)
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	if a.net.Load() != nil {
		t.Error("both are loaded")
	}
}

func TestAModelOverTheBudgetIsAMistakeOfTheConfiguration(t *testing.T) {
	h := &hall{t: t, bytes: map[string]int64{"huge": 1 << 30}}
	_, err := h.registry(1 << 30)
	if !config.IsMistake(err) || !strings.Contains(err.Error(), "huge") || !strings.Contains(err.Error(), fmt.Sprint(footprint(1<<30))) {
		t.Fatalf("%v", err)
	}
}

func TestAModelThatCannotBeLoadedTakesNoRoom(t *testing.T) {
	h := &hall{t: t, bytes: map[string]int64{"a": 1 << 20}}
	s, err := h.registry(footprint(1 << 20))
	if err != nil {
		t.Fatal(err)
	}
	h.failing.Store(true)
	if err := s.runOnce(t.Context(), "a"); !errors.Is(err, ErrUnfit) {
		t.Fatal(err)
	}
	if models, bytes, _ := s.cache.stats(); models != 0 || bytes != 0 {
		t.Errorf("%d models of %d bytes", models, bytes)
	}
}

func TestPreloadStopsWhereTheBudgetEnds(t *testing.T) {
	h := &hall{t: t, bytes: map[string]int64{"a": 1 << 20, "b": 1 << 20, "c": 1 << 20}}
	cfg := Config{ModelsMemoryBytes: 2 * footprint(1<<20), Models: []Choice{{Want: "detect", Model: "a"}, {Want: "segment", Model: "b"}, {Want: "classify", Model: "c"}}}
	s, err := NewRegistry(cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Preload(t.Context()); err != nil || h.opened.Load() != 2 {
		t.Errorf("%v, %d were loaded", err, h.opened.Load())
	}
}
