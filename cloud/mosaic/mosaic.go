// Package mosaic makes products of what edges and workers have said: one folder a scene, one a
// camera. A scene is a fold over its tiles, a camera over its batches of detections; neither minds
// order or repetition, so the mosaic reads every topic as it comes:
//
//	canvas.results ─┐                      ┌▶ Scene  ─┐
//	canvas.events  ─┼▶ one goroutine folds ┤          ├▶ draft ─▶ folder, canvas.products
//	canvas.dlq     ─┘                      └▶ Camera ─┘
//
// Products are made beside the fold, two at a time and within a limit (writer.go). A record that crashes the
// process, or panics, becomes a dead letter and does so no more (deadletter.go).
//
// Its state is in Kafka: a partition's offset is committed only up to the first entry of what is not
// finished, and what is finished is known from canvas.products. So a mosaic that died begins again
// where the oldest open scene began, and makes the same products.
package mosaic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
)

// Parts are what a mosaic is made of.
type Parts struct {
	Queue     Queue
	Products  Products
	Objects   queue.Objects // may be nil where all data is inline
	Store     Store
	Annotator Annotator             // may be nil: snapshots stay as they came
	Memory    *budget.Bytes         // of all decoders of the process; nil: without bound
	Disk      Disk                  // may be nil: no disk is to blame
	Dead      queue.DeadLetters     // may be nil: what becomes a dead letter is in the log alone
	Attempts  *crashguard.Guard     // of this process; nil: a record that crashes it does so again
	Metrics   prometheus.Registerer // may be nil
	Log       *slog.Logger
	Trace     *trace.Tracer // nil: no spans
}

// Mosaic folds entries into scenes and cameras and publishes them. One goroutine owns its state.
type Mosaic struct {
	cfg Config
	Parts
	work     string
	serial   int
	open     map[key]*record
	finished map[key]finished
	folders  productFolders
	progress progress
	writers  writers
	metrics  *metrics
}

// key names a record.
type key struct{ kind, edge, name string }

// New makes a mosaic. Run starts it.
func New(cfg Config, parts Parts) (*Mosaic, error) {
	cfg = cfg.withDefaults()
	if err := config.Check("mosaic", cfg); err != nil {
		return nil, err
	}
	if parts.Log == nil {
		parts.Log = slog.New(slog.DiscardHandler)
	}
	if parts.Objects == nil {
		parts.Objects = queue.NoObjects{}
	}
	if parts.Disk == nil {
		parts.Disk = noDisk{}
	}
	if parts.Dead == nil {
		parts.Dead = noDeadLetters{}
	}
	metrics, err := newMetrics(parts.Metrics)
	if err != nil {
		return nil, fmt.Errorf("registering the mosaic's metrics: %w", err)
	}
	return &Mosaic{cfg: cfg, Parts: parts, open: map[key]*record{}, finished: map[key]finished{}, folders: newProductFolders(), progress: newProgress(),
		writers: newWriters(), metrics: metrics}, nil
}

// How often the mosaic looks whether something is due, and writes down how far it is.
const (
	tick        = 100 * time.Millisecond
	commitEvery = time.Second
)

// Run reads, folds and publishes until ctx ends. What is not finished then is read again by the
// next Run. The error is not nil when there is no room to work in.
func (m *Mosaic) Run(ctx context.Context) (err error) {
	if m.cfg.WorkDir != "" {
		if err := os.MkdirAll(m.cfg.WorkDir, 0o755); err != nil {
			return fmt.Errorf("making the working folder: %w; choose another mosaic.work_dir", err)
		}
	}
	if m.work, err = os.MkdirTemp(m.cfg.WorkDir, "canvas-mosaic-"); err != nil {
		return fmt.Errorf("making a working folder: %w; choose another mosaic.work_dir", err)
	}
	defer os.RemoveAll(m.work)
	defer func() {
		m.writers.await(m.cfg.Grace())
		for k, r := range m.open {
			if !r.writing {
				r.close()
			}
			delete(m.open, k)
		}
	}()
	if err := m.recall(ctx); err != nil {
		return ended(ctx, err)
	}
	entries := make(chan queue.Entry, 64)
	readers, reading := errgroup.WithContext(ctx)
	for _, topic := range []string{event.ResultsTopic, event.EventsTopic, event.DLQTopic} {
		readers.Go(func() error { return m.follow(reading, topic, readers, entries) })
	}
	err = m.fold(reading, entries)
	return ended(ctx, errors.Join(readers.Wait(), err))
}

// ended leaves out an error that comes of stopping.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// fold is the one goroutine that owns the state.
func (m *Mosaic) fold(ctx context.Context, entries <-chan queue.Entry) error {
	due := time.NewTicker(tick)
	defer due.Stop()
	committed := time.Now()
	for {
		select {
		case <-ctx.Done():
			leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			m.commit(leave)
			return nil
		case e := <-entries:
			if err := m.foldSafely(ctx, e); err != nil {
				return err
			}
			m.progress.pass(partition{e.Topic, e.Partition}, e.Offset)
		case w := <-m.writers.written:
			if err := m.finishWriting(ctx, w); err != nil {
				return err
			}
		case now := <-due.C:
			m.tend(ctx, now)
			if now.Sub(committed) >= commitEvery {
				m.commit(ctx)
				committed = now
			}
		}
	}
}

// foldOne folds one entry.
func (m *Mosaic) foldOne(ctx context.Context, e queue.Entry) error {
	if e.Err != nil && e.Topic == event.DLQTopic {
		return nil // a message that never was an item is none of a product: whoever made it a dead letter has told
	}
	if e.Err != nil {
		m.Log.Warn("the mosaic passes over a record that it can't read", "topic", e.Topic, "partition", e.Partition, "offset", e.Offset, telemetry.Err, e.Err)
		return nil
	}
	if e.Topic != event.DLQTopic && !concerns(&e.Item) {
		return nil
	}
	k, ok := keyOf(&e)
	if !ok {
		return nil
	}
	r := m.open[k]
	if r != nil && r.writing {
		return m.postpone(ctx, r, e)
	}
	if r == nil {
		f, ok := m.finished[k]
		// A second look has no place in the device's order. One of an object comes after batches of its video,
		// one of a frame may come before the first: then it begins a record, and is forgotten with it
		// where nothing follows.
		cloud := isSecondLook(&e.Item) && !isFrameLook(&e.Item) || e.Topic == event.DLQTopic && e.Item.Kind != event.Frame
		if ok && k.kind == cameraProduct && (cloud || f.epoch == e.Item.Epoch && e.Item.Seq <= f.through) {
			return nil // it is in a finished product
		}
		m.makeRoom(k)
		if err := m.retry(ctx, "making a working folder for "+k.name, func() (err error) { r, err = m.begin(k); return err }); err != nil {
			return err
		}
		m.open[k] = r
	}
	changed := false
	err := m.retry(ctx, "keeping an item of "+k.name, func() (err error) {
		changed, err = r.add(e)
		if errors.Is(err, errMisfit) {
			m.Log.Warn("the mosaic passes over an item that does not fit its product", "id", e.Item.ID, "subject", e.Item.Subject, telemetry.Err, err)
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	r.hold(partition{e.Topic, e.Partition}, e.Offset)
	if changed && (e.Item.Kind == event.Scene || r.source.Topic == "") {
		r.setSource(e)
	}
	if now := time.Now(); changed {
		r.noteTrace(&e.Item, now, m.Trace.On())
		r.changed, r.dirty = now, true
		if r.due(m.cfg, now) {
			m.publish(ctx, k, r, now)
		}
	}
	return nil
}

// mostOpen bounds the scenes and cameras of one edge that are not finished: each has a folder and is
// looked at ten times a second.
const mostOpen = 2000

// makeRoom gives up what an edge has sent nothing of for longest, where it begins too much.
func (m *Mosaic) makeRoom(k key) {
	open, oldest := 0, key{}
	for other, r := range m.open {
		if other.edge != k.edge {
			continue
		}
		if open++; !r.writing && (oldest == key{} || r.changed.Before(m.open[oldest].changed)) {
			oldest = other
		}
	}
	if open < mostOpen || (oldest == key{}) {
		return
	}
	m.Log.Warn("a product is given up before all of it has come: its edge has too many others open", "kind", oldest.kind, "name", oldest.name, "edge", oldest.edge,
		"since", m.open[oldest].changed, "open", open)
	m.open[oldest].close()
	delete(m.open, oldest)
}

func (m *Mosaic) begin(k key) (r *record, err error) {
	m.serial++
	dir := filepath.Join(m.work, fmt.Sprint(m.serial))
	r = &record{opened: time.Now(), holds: map[partition]int64{}}
	r.changed = r.opened
	if k.kind == sceneProduct {
		if r.scene, err = NewScene(k.edge, k.name, dir); err == nil {
			r.scene.catalog = m.cfg.Catalog
		}
	} else {
		r.camera, err = NewCamera(k.edge, k.name, dir, m.cfg.Snapshots)
	}
	return r, err
}
