package infer

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"cloudcanvas/shared/model"
)

// LayoutRate is how many images a second one way to share the machine can do, forward passes only.
type LayoutRate struct {
	Sessions int     `json:"sessions"`
	Threads  int     `json:"threads"` // of each session
	Rate     float64 `json:"images_per_second"`
}

// Layouts measures how the machine's cores are best shared between sessions and threads: 1 x 1,
// 1 x N, 2 x N/2 … N x 1, forward passes only, for about budget altogether; on a GPU there is one
// way. engine is an engine's name, not Auto. Run it on an idle machine.
func Layouts(ctx context.Context, m model.Model, engine string, budget time.Duration) ([]LayoutRate, error) {
	if m.Builtin != "" {
		return nil, nil // it has no forward pass of its own
	}
	f, err := readFile(m)
	if err != nil {
		return nil, err
	}
	if err := f.tryAlone(ctx, engine, Layout{Sessions: 1}); err != nil {
		return nil, fmt.Errorf("model %s on %s: %w", m.Name, engine, err)
	}
	layouts := layoutsFor(runtime.GOMAXPROCS(0))
	if onGPU(engine) {
		layouts = layouts[:1]
	}
	var rates []LayoutRate
	for _, l := range layouts {
		if err := ctx.Err(); err != nil {
			return rates, err
		}
		rate, err := f.rate(engine, l, budget/time.Duration(len(layouts)))
		if err != nil {
			return rates, fmt.Errorf("model %s on %s, %d sessions of %d threads: %w", m.Name, engine, l.Sessions, l.Threads, err)
		}
		rates = append(rates, LayoutRate{l.Sessions, l.Threads, rate})
	}
	return rates, nil
}

// layoutsFor lists sessions x threads up to the number of cores.
func layoutsFor(cores int) []Layout {
	layouts := []Layout{{Sessions: 1, Threads: 1}}
	for s := 1; s <= cores; s *= 2 {
		if l := (Layout{Sessions: s, Threads: cores / s}); l != layouts[0] {
			layouts = append(layouts, l)
		}
	}
	if last := (Layout{Sessions: cores, Threads: 1}); layouts[len(layouts)-1] != last && cores > 1 {
		layouts = append(layouts, last)
	}
	return layouts
}

// rate is images a second, forward only, with every session busy for about the given time.
func (f *file) rate(name string, l Layout, span time.Duration) (float64, error) {
	e, err := f.open(name, l.withDefaults(name, f.model.Input.Batch))
	if err != nil {
		return 0, err
	}
	defer e.close()
	sessions := make([]session, l.Sessions)
	defer func() {
		for _, s := range sessions {
			if s != nil {
				s.close()
			}
		}
	}()
	for i := range sessions {
		if sessions[i], err = e.session(); err != nil {
			return 0, err
		}
		if err := f.golden(sessions[i], name, &Trial{}); err != nil { // also the warm-up
			return 0, err
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	passes, failed := 0, error(nil)
	began := time.Now()
	for _, s := range sessions {
		wg.Go(func() {
			n := 0
			for n == 0 || time.Since(began) < span {
				if _, err := s.forward(); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
				n++
			}
			mu.Lock()
			passes += n
			mu.Unlock()
		})
	}
	wg.Wait()
	return float64(passes) / time.Since(began).Seconds(), failed
}
