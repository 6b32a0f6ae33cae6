package modelupdate

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

// A request is for so many bytes: what the rate gives in requestSpan, at least and at most so many.
const (
	requestSpan  = 5 * time.Second
	minRequest   = 4 << 10
	maxRequest   = 1 << 20
	retryAfter   = 30 * time.Second // until it is requested again …
	maxDoublings = 4                // … each time twice as long, up to 16 times
)

// want is what the status says of a fetch; nil while nothing is requested.
func (f *fetch) want() *event.WantedPart {
	if f.requested == 0 {
		return nil
	}
	file, have, err := f.missing()
	if err != nil || file == nil || file.Name != f.file {
		return nil
	}
	return &event.WantedPart{Version: f.offer.Version, File: file.Name, Offset: have, Bytes: f.requested - have, Size: file.Size, Tries: f.tries}
}

// request requests the next bytes of one fetch where they may come now.
func (t *Updater) request(ctx context.Context, now time.Time) {
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

// due says whether something is to be requested now, and notes that it is.
func (t *Updater) due(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(t.fetches)) {
		f := t.fetches[name]
		file, have, err := f.missing()
		if err != nil || file == nil {
			continue
		}
		if f.requested > 0 {
			if now.Sub(t.requested) < retryAfter<<min(f.tries, maxDoublings) {
				return false // it is on its way; one at a time
			}
			f.tries++
		} else if now.Before(t.next) {
			return false
		}
		bytes := int64(maxRequest)
		if rate := t.config.BytesPerSecond; rate > 0 {
			bytes = min(max(rate*int64(requestSpan/time.Second), minRequest), maxRequest)
			t.next = now.Add(time.Duration(float64(bytes) / float64(rate) * float64(time.Second)))
		}
		f.file, f.requested, t.requested = file.Name, min(have+bytes, file.Size), now
		return true
	}
	return false
}

// A version on trial is taken back when so many of its pictures failed, and so large a share.
const (
	failedLeast = 5
	failedShare = 0.2
)

// checkTrials ends trials: versions are taken back, or have passed.
func (t *Updater) checkTrials(ctx context.Context, running time.Duration) (changed bool) {
	for _, name := range t.Store.Trials() {
		runs, failed := t.Counts(name)
		switch {
		case failed >= failedLeast && float64(failed) >= failedShare*float64(runs):
			offer := event.DownModel{Model: name, Version: t.Store.entryOf(name).Version}
			t.refuse(ctx, offer, fmt.Errorf("%d of %d pictures failed while it was on trial", failed, runs))
			changed = true
		case running >= t.config.Trial && runs > 0:
			if err := t.Store.EndTrial(name); err != nil {
				t.Log.Error("the end of a model's trial can't be written down", "model", name, telemetry.Err, err)
				continue
			}
			t.Log.Info("a model has passed its trial", "model", name, "version", t.Store.entryOf(name).Version)
			t.Announce(ctx)
		}
	}
	return changed
}
