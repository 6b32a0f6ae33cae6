// Package power watches how hot a device is and which power mode it runs in, and says which share of
// the cameras' frames it should look at. It reads what Linux and Jetson's nvpmodel write into files,
// and changes nothing. docs/ladder.md says how the steps are chosen.
package power

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cloudcanvas/shared/telemetry"
)

// State is what the device allows, and why.
type State struct {
	Share   float64 `json:"share"`             // of the frames, 0 … 1
	Celsius float64 `json:"celsius"`           // of the hottest zone
	Zone    string  `json:"zone"`              // that one; empty: none can be read
	Mode    *int    `json:"mode,omitempty"`    // nvpmodel's; nil: there is none
	Problem string  `json:"problem,omitempty"` // why the temperature is not known
}

// Watch follows one device. The nil Watch allows everything. Safe for concurrent use.
type Watch struct {
	config Config
	log    *slog.Logger

	mu    sync.Mutex
	state State
	step  int // of config.Steps that holds; -1: none
}

// New makes a watch that allows everything until it has read.
func New(c Config, log *slog.Logger) *Watch {
	return &Watch{config: c, log: log, state: State{Share: 1}, step: -1}
}

// Run reads every so often until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(w.config.Every)
	defer tick.Stop()
	for {
		w.Read()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Share is which share of the frames should be looked at, 0 … 1.
func (w *Watch) Share() float64 {
	if w == nil {
		return 1
	}
	return w.State().Share
}

// State is the device as it was at the last reading; the zero State of a nil Watch allows everything.
func (w *Watch) State() State {
	if w == nil {
		return State{Share: 1}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// Read reads the files once, and logs where the share changes.
func (w *Watch) Read() {
	hottest, err := hottestZone(w.config.Root, w.config.Zones)
	mode, known := powerMode(w.config.Root)
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.state
	now := State{Celsius: hottest.celsius, Zone: hottest.name, Share: 1}
	if err != nil {
		// What can't be read is not cool: the step that held goes on to hold.
		now.Problem = err.Error()
	} else {
		w.step = w.config.next(w.step, hottest.celsius)
	}
	if w.step >= 0 {
		now.Share = w.config.Steps[w.step].Share
	}
	if known {
		now.Mode = &mode
		for _, m := range w.config.Modes {
			if m.Mode == mode {
				now.Share = min(now.Share, m.Share)
			}
		}
	}
	w.state = now
	if now.Share != was.Share {
		w.log.Info("the device's heat or power mode allows another share of the cameras' frames", "share", now.Share, "celsius", now.Celsius, "zone", now.Zone)
	}
	if now.Problem != "" && was.Problem == "" {
		w.log.Warn("the device's temperature can't be read; the share of frames stays as it is", telemetry.Err, now.Problem)
	}
}

// next is the step that holds at that heat after another one: up at once, down only when it is
// cooler by the hysteresis, so that a device at a limit does not go to and fro.
func (c Config) next(step int, celsius float64) int {
	reached := -1
	for i, s := range c.Steps {
		if celsius >= s.Celsius {
			reached = i
		}
	}
	for step > reached && celsius < c.Steps[step].Celsius-c.Hysteresis {
		step--
	}
	return max(step, reached)
}
