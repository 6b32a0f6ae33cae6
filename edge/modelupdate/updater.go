// Package modelupdate takes models from the cloud: in contact windows, a bounded piece at a time, taken up
// where it was left, verified, tried, and taken back when they do worse.
//
//	offer ─▶ fetch (pieces, sha256) ─▶ try (manifest, golden case) ─▶ store ─▶ the pipeline begins anew
//	                                                                    │
//	              the version before ◀── it failed or died on trial ◀───┘
package modelupdate

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

// Parts are what an Updater works with.
type Parts struct {
	Store    *Store
	Names    []string                                 // of the models that the device has use for
	Announce func(context.Context)                    // sends the cloud Models anew
	Up       func() <-chan struct{}                   // closed while there is a connection to the cloud
	Open     func(now time.Time) bool                 // whether the link may be used now
	Try      func(context.Context, model.Model) error // opens a model and runs its golden case
	Counts   func(name string) (runs, failed int64)   // of a model's network since the agent began
	Log      *slog.Logger
}

// Updater takes versions as they are offered. Run is its one goroutine; Take and Models may be called
// from others.
type Updater struct {
	config Config
	Parts
	messages chan event.DownModel

	mu        sync.Mutex
	fetches   map[string]*fetch // by model
	requested time.Time         // when something was requested last
	next      time.Time         // not before then again
}

// maxMessages is how many messages wait; more are dropped, and requested again.
const maxMessages = 128

// New makes an Updater.
func New(c Config, p Parts) *Updater {
	slices.Sort(p.Names)
	return &Updater{config: c.withDefaults(), Parts: p, messages: make(chan event.DownModel, maxMessages), fetches: map[string]*fetch{}}
}

// Receive takes a message of down/models. It does not wait.
func (t *Updater) Receive(payload []byte) {
	d, err := event.ParseDownModel(payload)
	if err != nil {
		t.Log.Warn("a message from the cloud about a model can't be read", telemetry.Err, err)
		return
	}
	d.Data = slices.Clone(d.Data)
	select {
	case t.messages <- d:
	default: // it is requested again
	}
}

// Models is what the device's status says.
func (t *Updater) Models() []event.EdgeModel {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]event.EdgeModel, 0, len(t.Names))
	for _, name := range t.Names {
		e := t.Store.entryOf(name)
		m := event.EdgeModel{Name: name, Version: e.Version, Trial: e.Trial, Previous: e.Previous, Refused: e.Refused, Reason: e.Reason}
		if f := t.fetches[name]; f != nil {
			m.Want = f.want()
		}
		all = append(all, m)
	}
	return all
}

// tick is how often Run checks whether something is due.
const tick = time.Second

// Run takes what is offered, until ctx ends or, with ErrChanged, another version is to run.
func (t *Updater) Run(ctx context.Context) error {
	began := time.Now()
	due := time.NewTicker(tick)
	defer due.Stop()
	for {
		var changed bool
		select {
		case d := <-t.messages:
			changed = t.handle(ctx, d)
			t.request(ctx, time.Now())
		case now := <-due.C:
			changed = t.checkTrials(ctx, now.Sub(began))
			t.request(ctx, now)
		case <-ctx.Done():
			return t.Store.Stop()
		}
		if changed {
			return errors.Join(ErrChanged, t.Store.Stop())
		}
	}
}

// handle takes a message in and says whether another version is to run.
func (t *Updater) handle(ctx context.Context, d event.DownModel) (changed bool) {
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
	case errors.Is(err, errWrongPart):
		return false
	case err != nil:
		t.Log.Warn("a part of a model could not be written; it is requested again", "model", d.Model, telemetry.Err, err)
		return false
	}
	t.mu.Lock()
	f.tries = 0
	file, have, err := f.missing()
	if err == nil && (file == nil || file.Name != f.file || have >= f.requested) {
		f.requested = 0 // all that was requested is here
	}
	t.mu.Unlock()
	if err != nil {
		return t.refuse(ctx, f.offer, err)
	}
	return file == nil && t.complete(ctx, f)
}

// offered begins to fetch a version, or lets it run at once where it is here.
func (t *Updater) offered(ctx context.Context, offer event.DownModel) (changed bool) {
	name := offer.Model
	e := t.Store.entryOf(name)
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
		t.Log.Warn("the cloud offers a model that this device does not use; it is ignored", "model", name, "version", offer.Version)
		return false
	case size > t.config.MostBytes:
		return t.refuse(ctx, offer, fmt.Errorf("the version has %d bytes, models.fetch.most_bytes is %d", size, t.config.MostBytes))
	case offer.Version == "":
		t.forget(name)
		return t.activate(ctx, offer)
	}
	if here := (&fetch{offer: offer, dir: t.Store.home(name, offer.Version)}); here.check() == nil {
		return t.complete(ctx, here)
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
		return t.complete(ctx, f)
	}
	return false
}

func (t *Updater) folder(offer event.DownModel) string {
	return filepath.Join(t.Store.dir, ".fetch", offer.Model+"@"+offer.Version)
}

// forget ends a fetch; what is there of other versions goes.
func (t *Updater) forget(name string) {
	t.mu.Lock()
	f := t.fetches[name]
	delete(t.fetches, name)
	t.mu.Unlock()
	if f != nil {
		os.RemoveAll(f.dir)
	}
}

// complete verifies and tries a version that is here, and lets it run.
func (t *Updater) complete(ctx context.Context, f *fetch) (changed bool) {
	home := t.Store.home(f.offer.Model, f.offer.Version)
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

func (t *Updater) try(ctx context.Context, dir string, offer event.DownModel) error {
	m, err := openVersion(dir, offer.Model, offer.Version)
	if err != nil {
		return err
	}
	return t.Try(ctx, m)
}

func (t *Updater) activate(ctx context.Context, offer event.DownModel) (changed bool) {
	if err := t.Store.Activate(offer.Model, offer.Version); err != nil {
		t.Log.Error("the device can't change to another version of a model", "model", offer.Model, "version", offer.Version, telemetry.Err, err)
		return false
	}
	t.Log.Info("the device changes to another version of a model", "model", offer.Model, "version", offer.Version)
	t.Announce(ctx)
	return true
}

// refuse notes that a version is not used, and is not requested again.
func (t *Updater) refuse(ctx context.Context, offer event.DownModel, reason error) (changed bool) {
	t.Log.Warn("a version of a model is refused", "model", offer.Model, "version", offer.Version, "reason", reason)
	t.forget(offer.Model)
	if err := t.Store.Refuse(offer.Model, offer.Version, reason.Error()); err != nil {
		t.Log.Error("the refusal of a model can't be written down", telemetry.Err, err)
	}
	t.Announce(ctx)
	return false
}
