package upgrade

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// Config says how models are taken from the cloud.
type Config struct {
	Off            bool          `yaml:"off" desc:"take none of them"`
	BytesPerSecond int64         `yaml:"bytes_per_second" desc:"bytes a second at which they are asked for; 0: as the link gives them" range:"0 or 64.."`
	MostBytes      int64         `yaml:"most_bytes" desc:"bytes of the largest version that is taken; 0: 1 GiB" range:"0.."`
	Trial          time.Duration `yaml:"trial" desc:"how long a new version must do as well as the one before; 0: 2m" range:"0s..24h"`
}

// DefaultConfig leaves most of a thin link to others.
func DefaultConfig() Config {
	return Config{BytesPerSecond: 64 << 10, MostBytes: 1 << 30, Trial: 2 * time.Minute}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	if c.MostBytes == 0 {
		c.MostBytes = d.MostBytes
	}
	if c.Trial == 0 {
		c.Trial = d.Trial
	}
	return c
}

// Problems names every mistake.
func (c Config) Problems(add func(field, message, hint string)) {
	config.Limits(c, DefaultConfig(), add)
}

// A question asks for so many bytes: what the rate gives in askFor, at least and at most so many.
const (
	askFor    = 5 * time.Second
	askLeast  = 4 << 10
	askMost   = 1 << 20
	patience  = 30 * time.Second // until it is asked again …
	mostTries = 4                // … each time twice as long, up to 16 times
)

// want is what the status says of a fetch; nil while nothing is asked for.
func (f *fetch) want() *event.WantedPart {
	if f.asked == 0 {
		return nil
	}
	file, have, err := f.missing()
	if err != nil || file == nil || file.Name != f.file {
		return nil
	}
	return &event.WantedPart{Version: f.offer.Version, File: file.Name, Offset: have, Bytes: f.asked - have, Size: file.Size, Tries: f.tries}
}

// ask asks for the next bytes of one fetch where they may come now.
func (t *Taker) ask(ctx context.Context, now time.Time) {
	select {
	case <-t.Up():
	default:
		return
	}
	if !t.Open(now) || !t.due(now) {
		return
	}
	t.Announce(ctx)
}

// due says whether something is to be asked for now, and notes that it is.
func (t *Taker) due(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(t.fetches)) {
		f := t.fetches[name]
		file, have, err := f.missing()
		if err != nil || file == nil {
			continue
		}
		if f.asked > 0 {
			if now.Sub(t.asked) < patience<<min(f.tries, mostTries) {
				return false // it is on its way; one at a time
			}
			f.tries++
		} else if now.Before(t.next) {
			return false
		}
		bytes := int64(askMost)
		if rate := t.config.BytesPerSecond; rate > 0 {
			bytes = min(max(rate*int64(askFor/time.Second), askLeast), askMost)
			t.next = now.Add(time.Duration(float64(bytes) / float64(rate) * float64(time.Second)))
		}
		f.file, f.asked, t.asked = file.Name, min(have+bytes, file.Size), now
		return true
	}
	return false
}

// A version on trial is taken back when so many of its pictures failed, and so large a share.
const (
	failedLeast = 5
	failedShare = 0.2
)

// watch looks after versions on trial: they are taken back, or have proved themselves.
func (t *Taker) watch(ctx context.Context, running time.Duration) (changed bool) {
	for _, name := range t.Shelf.Trials() {
		runs, failed := t.Counts(name)
		switch {
		case failed >= failedLeast && float64(failed) >= failedShare*float64(runs):
			offer := event.DownModel{Model: name, Version: t.Shelf.about(name).Version}
			t.refuse(ctx, offer, fmt.Errorf("%d of %d pictures failed while it was on trial", failed, runs))
			changed = true
		case running >= t.config.Trial && runs > 0:
			if err := t.Shelf.Proved(name); err != nil {
				t.Log.Error("a trial's end can't be written down", "model", name, telemetry.Err, err)
				continue
			}
			t.Log.Info("a model has proved itself", "model", name, "version", t.Shelf.about(name).Version)
			t.Announce(ctx)
		}
	}
	return changed
}
