// Package upgrade takes models from the cloud: in contact windows, a bounded piece at a time, taken up
// where it was left, verified, tried, and taken back when they do worse.
//
//	offer ─▶ fetch (pieces, sha256) ─▶ try (manifest, golden case) ─▶ shelf ─▶ the pipeline begins anew
//	                                                                    │
//	              the version before ◀── it failed or died on trial ◀───┘
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/telemetry"
)

// ErrChanged ends Run: another version of a model is to run.
var ErrChanged = errors.New("another version of a model is to run")

// Parts are what a Taker works with.
type Parts struct {
	Shelf    *Shelf
	Names    []string                                 // of the models that the device has use for
	Announce func(context.Context)                    // tells the cloud Models anew
	Up       func() <-chan struct{}                   // closed while there is a connection to the cloud
	Open     func(now time.Time) bool                 // whether the link may be used now
	Try      func(context.Context, model.Model) error // opens a model and runs its golden case
	Counts   func(name string) (runs, failed int64)   // of a model's network since the agent began
	Log      *slog.Logger
}

// Taker takes versions as they are offered. Run is its one goroutine; Take and Models may be called
// from others.
type Taker struct {
	config Config
	Parts
	mail chan event.DownModel

	mu      sync.Mutex
	fetches map[string]*fetch // by model
	asked   time.Time         // when something was asked for last
	next    time.Time         // not before then again
}

// mailHeld is how many messages wait; more are dropped, and asked for again.
const mailHeld = 128

// New makes a Taker.
func New(c Config, p Parts) *Taker {
	slices.Sort(p.Names)
	return &Taker{config: c.withDefaults(), Parts: p, mail: make(chan event.DownModel, mailHeld), fetches: map[string]*fetch{}}
}

// Take takes a message of down/models. It does not wait.
func (t *Taker) Take(payload []byte) {
	d, err := event.ParseDownModel(payload)
	if err != nil {
		t.Log.Warn("a message from the cloud about a model can't be read", telemetry.Err, err)
		return
	}
	d.Data = slices.Clone(d.Data)
	select {
	case t.mail <- d:
	default: // it is asked for again
	}
}

// Models is what the device's status says.
func (t *Taker) Models() []event.EdgeModel {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]event.EdgeModel, 0, len(t.Names))
	for _, name := range t.Names {
		e := t.Shelf.about(name)
		m := event.EdgeModel{Name: name, Version: e.Version, Trial: e.Trial, Previous: e.Previous, Refused: e.Refused, Reason: e.Reason}
		if f := t.fetches[name]; f != nil {
			m.Want = f.want()
		}
		all = append(all, m)
	}
	return all
}

// tick is how often it is looked whether something is due.
const tick = time.Second

// Run takes what is offered, until ctx ends or, with ErrChanged, another version is to run.
func (t *Taker) Run(ctx context.Context) error {
	began := time.Now()
	due := time.NewTicker(tick)
	defer due.Stop()
	for {
		var changed bool
		select {
		case d := <-t.mail:
			changed = t.hear(ctx, d)
			t.ask(ctx, time.Now())
		case now := <-due.C:
			changed = t.watch(ctx, now.Sub(began))
			t.ask(ctx, now)
		case <-ctx.Done():
			return t.Shelf.Leave()
		}
		if changed {
			return errors.Join(ErrChanged, t.Shelf.Leave())
		}
	}
}

// hear takes a message in and says whether another version is to run.
func (t *Taker) hear(ctx context.Context, d event.DownModel) (changed bool) {
	if d.Type == event.ModelOffer {
		return t.offered(ctx, d)
	}
	t.mu.Lock()
	f := t.fetches[d.Model]
	t.mu.Unlock()
	if f == nil {
		return false
	}
	switch err := f.take(d); {
	case errors.Is(err, errNotNow):
		return false
	case err != nil:
		t.Log.Warn("a part of a model could not be kept, it is asked for again", "model", d.Model, telemetry.Err, err)
		return false
	}
	t.mu.Lock()
	f.tries = 0
	file, have, err := f.missing()
	if err == nil && (file == nil || file.Name != f.file || have >= f.asked) {
		f.asked = 0 // all that was asked for is here
	}
	t.mu.Unlock()
	if err != nil {
		return t.refuse(ctx, f.offer, err)
	}
	return file == nil && t.whole(ctx, f)
}

// offered begins to fetch a version, or lets it run at once where it is here.
func (t *Taker) offered(ctx context.Context, offer event.DownModel) (changed bool) {
	name := offer.Model
	e := t.Shelf.about(name)
	size := int64(0)
	for _, f := range offer.Files {
		size += f.Size
	}
	switch {
	case offer.Version == e.Version:
		t.forget(name)
		t.Announce(ctx)
		return false
	case offer.Version != "" && offer.Version == e.Refused:
		return false
	case !slices.Contains(t.Names, name):
		t.Log.Warn("a model is offered that this device has no use for", "model", name, "version", offer.Version)
		return false
	case size > t.config.MostBytes:
		return t.refuse(ctx, offer, fmt.Errorf("it has %d bytes, models.fetch.most_bytes is %d", size, t.config.MostBytes))
	case offer.Version == "":
		t.forget(name)
		return t.activate(ctx, offer)
	}
	if here := (&fetch{offer: offer, dir: t.Shelf.home(name, offer.Version)}); here.check() == nil {
		return t.whole(ctx, here)
	}
	t.mu.Lock()
	f := t.fetches[name]
	t.mu.Unlock()
	if f != nil && f.offer.Version == offer.Version {
		return false // it is on its way
	}
	t.forget(name)
	f, err := begin(t.folder(offer), offer)
	if err != nil {
		t.Log.Error("a model can't be fetched", "model", name, telemetry.Err, err)
		return false
	}
	t.Log.Info("the device fetches a model", "model", name, "version", offer.Version, "bytes", size)
	t.mu.Lock()
	t.fetches[name], t.next = f, time.Time{}
	t.mu.Unlock()
	if file, _, err := f.missing(); err == nil && file == nil {
		return t.whole(ctx, f)
	}
	return false
}

func (t *Taker) folder(offer event.DownModel) string {
	return filepath.Join(t.Shelf.dir, ".fetch", offer.Model+"@"+offer.Version)
}

// forget ends a fetch; what is there of other versions goes.
func (t *Taker) forget(name string) {
	t.mu.Lock()
	f := t.fetches[name]
	delete(t.fetches, name)
	t.mu.Unlock()
	if f != nil {
		os.RemoveAll(f.dir)
	}
}

// whole verifies and tries a version that is here, and lets it run.
func (t *Taker) whole(ctx context.Context, f *fetch) (changed bool) {
	home := t.Shelf.home(f.offer.Model, f.offer.Version)
	err := f.check()
	if err == nil && f.dir != home {
		err = t.try(ctx, f.dir, f.offer)
		if err == nil {
			err = f.install(home)
		}
	}
	if ctx.Err() != nil {
		return false // the agent stops: that says nothing about the model, whose files are here
	}
	if err != nil {
		return t.refuse(ctx, f.offer, err)
	}
	t.mu.Lock()
	delete(t.fetches, f.offer.Model)
	t.mu.Unlock()
	return t.activate(ctx, f.offer)
}

func (t *Taker) try(ctx context.Context, dir string, offer event.DownModel) error {
	m, err := openVersion(dir, offer.Model, offer.Version)
	if err != nil {
		return err
	}
	return t.Try(ctx, m)
}

func (t *Taker) activate(ctx context.Context, offer event.DownModel) (changed bool) {
	if err := t.Shelf.Activate(offer.Model, offer.Version); err != nil {
		t.Log.Error("a model can't be changed", "model", offer.Model, "version", offer.Version, telemetry.Err, err)
		return false
	}
	t.Log.Info("another version of a model is to run", "model", offer.Model, "version", offer.Version)
	t.Announce(ctx)
	return true
}

// refuse says that a version will not do, and that it is not asked for again.
func (t *Taker) refuse(ctx context.Context, offer event.DownModel, reason error) (changed bool) {
	t.Log.Warn("a model is refused", "model", offer.Model, "version", offer.Version, "reason", reason)
	t.forget(offer.Model)
	if err := t.Shelf.Refuse(offer.Model, offer.Version, reason.Error()); err != nil {
		t.Log.Error("what was refused can't be written down", telemetry.Err, err)
	}
	t.Announce(ctx)
	return false
}
