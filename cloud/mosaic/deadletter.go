package mosaic

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// foldSafely folds one entry, which is noted meanwhile: one that crashes the process is tried alone and then
// becomes a dead letter, and so does one that panics. The error is ctx's.
func (m *Mosaic) foldSafely(ctx context.Context, e queue.Entry) error {
	var unread *crashguard.Panic
	if errors.As(e.Err, &unread) {
		return m.deadLetter(ctx, e, entryInput(&e), "Panic", e.Err)
	}
	if e.Err != nil || e.Topic != event.DLQTopic && !concerns(&e.Item) {
		return m.foldOne(ctx, e) // it is passed over
	}
	in := entryInput(&e)
	done, err := m.Attempts.Begin(ctx, in)
	if errors.Is(err, crashguard.ErrQuarantined) {
		return m.deadLetter(ctx, e, in, "Deadly", err)
	}
	if err != nil {
		return err
	}
	err = crashguard.Shield(func() error { return m.foldOne(ctx, e) })
	done()
	var panicked *crashguard.Panic
	if !errors.As(err, &panicked) {
		return err
	}
	m.metrics.panics.Inc()
	if err := m.Attempts.Quarantine(in, err.Error()); err != nil {
		m.Log.Warn("the mosaic could not write down a record that panics, and may try it again after a restart", telemetry.Err, err)
	}
	return m.deadLetter(ctx, e, in, "Panic", err)
}

// entryInput names an entry in the crash journal by its place and its item: one that is put back has
// another place, and is tried anew.
func entryInput(e *queue.Entry) crashguard.Input {
	at := fmt.Sprintf("%s/%d/%d", e.Topic, e.Partition, e.Offset)
	return crashguard.Input{Source: e.Item.Stream, Name: at, Key: "mosaic:" + at + "/" + e.Item.ID.String()}
}

// deadLetter makes a dead letter of an entry, once however often its log is read again. A dead letter is none
// again: it would come back for ever.
func (m *Mosaic) deadLetter(ctx context.Context, e queue.Entry, in crashguard.Input, class string, reason error) error {
	if !m.Attempts.FirstReport(in.Key) {
		return nil
	}
	m.Log.Error("a record becomes a dead letter", "topic", e.Topic, "partition", e.Partition, "offset", e.Offset, "edge", e.Item.Edge,
		"id", e.Item.ID, "subject", e.Item.Subject, telemetry.Err, reason)
	m.metrics.deadLetters.Inc()
	if e.Topic == event.DLQTopic || e.Topic == "" {
		return nil
	}
	if e.Value == nil { // null would delete it
		e.Value = []byte{}
	}
	return m.retry(ctx, "writing a dead letter", func() error {
		return m.Dead.Reject(ctx, queue.DeadLetter{Entry: e, Stage: deadletter.StageTransform, Class: "cloudcanvas.mosaic." + class, Err: reason})
	})
}

// reject gives up a record whose product can't be made: a dead letter stands for it, and it is forgotten.
// Files are closed when nobody works on them any more.
func (m *Mosaic) reject(ctx context.Context, w *writing, class string, reason error) {
	if err := m.Attempts.Quarantine(w.input, reason.Error()); err != nil {
		m.Log.Warn("the mosaic could not write down a product that can't be made, and may try it again after a restart", telemetry.Err, err)
	}
	if err := m.deadLetter(ctx, w.record.sourceEntry(), w.input, class, fmt.Errorf("the product of %s %s can't be made: %w", w.key.kind, w.key.name, reason)); err != nil {
		m.Log.Warn("the mosaic could not write a dead letter", "name", w.key.name, telemetry.Err, err)
	}
	w.record.source, w.record.pending = queue.Entry{}, nil
	delete(m.open, w.key)
}

// The first metric keeps the name that it had first.
type metrics struct {
	deadLetters prometheus.Counter
	panics      prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		deadLetters: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "canvas_cloud_mosaic_set_aside_total", Help: "Records that became dead letters: they crashed the process, panicked, or took too long.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "canvas_cloud_mosaic_panics_total", Help: "Panics that one record caused, and that became its dead letter.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.deadLetters, m.panics} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
