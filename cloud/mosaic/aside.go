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

// takeOne folds one entry, which is noted meanwhile: one that kills the process is tried alone and then set
// aside, and so is one that panics. The error is ctx's.
func (m *Mosaic) takeOne(ctx context.Context, e queue.Entry) error {
	var unread *crashguard.Panic
	if errors.As(e.Err, &unread) {
		return m.bury(ctx, e, entryInput(&e), "Panic", e.Err)
	}
	if e.Err != nil || e.Topic != event.DLQTopic && !concerns(&e.Item) {
		return m.take(ctx, e) // it is passed over
	}
	in := entryInput(&e)
	done, err := m.Attempts.Begin(ctx, in)
	if errors.Is(err, crashguard.ErrQuarantined) {
		return m.bury(ctx, e, in, "Deadly", err)
	}
	if err != nil {
		return err
	}
	err = crashguard.Shield(func() error { return m.take(ctx, e) })
	done()
	var panicked *crashguard.Panic
	if !errors.As(err, &panicked) {
		return err
	}
	m.metrics.panics.Inc()
	if err := m.Attempts.Quarantine(in, err.Error()); err != nil {
		m.Log.Warn("the crash journal could not note a record that panics", telemetry.Err, err)
	}
	return m.bury(ctx, e, in, "Panic", err)
}

// entryInput names an entry in the crash journal by its place and its item: one that is put back has
// another place, and is tried anew.
func entryInput(e *queue.Entry) crashguard.Input {
	at := fmt.Sprintf("%s/%d/%d", e.Topic, e.Partition, e.Offset)
	return crashguard.Input{Source: e.Item.Stream, Name: at, Key: "mosaic:" + at + "/" + e.Item.ID.String()}
}

// bury makes a dead letter of an entry, once however often its log is read again. A dead letter is none
// again: it would come back for ever.
func (m *Mosaic) bury(ctx context.Context, e queue.Entry, in crashguard.Input, class string, reason error) error {
	if !m.Attempts.FirstReport(in.Key) {
		return nil
	}
	m.Log.Error("a record becomes a dead letter", "topic", e.Topic, "partition", e.Partition, "offset", e.Offset, "edge", e.Item.Edge,
		"id", e.Item.ID, "subject", e.Item.Subject, telemetry.Err, reason)
	m.metrics.aside.Inc()
	if e.Topic == event.DLQTopic || e.Topic == "" {
		return nil
	}
	if e.Value == nil { // null would delete it
		e.Value = []byte{}
	}
	return m.insist(ctx, "writing a dead letter", func() error {
		return m.Dead.Reject(ctx, queue.DeadLetter{Entry: e, Stage: deadletter.StageTransform, Class: "cloudcanvas.mosaic." + class, Err: reason})
	})
}

// setAside gives up a record whose product can't be made: a dead letter stands for it, and it is forgotten.
// Files are closed when nobody works on them any more.
func (m *Mosaic) setAside(ctx context.Context, w *writing, class string, reason error) {
	if err := m.Attempts.Quarantine(w.input, reason.Error()); err != nil {
		m.Log.Warn("the crash journal could not note a product that can't be made", telemetry.Err, err)
	}
	if err := m.bury(ctx, w.record.whole(), w.input, class, fmt.Errorf("the product of %s %s can't be made: %w", w.key.kind, w.key.name, reason)); err != nil {
		m.Log.Warn("a dead letter could not be written", "name", w.key.name, telemetry.Err, err)
	}
	w.record.face, w.record.pending = queue.Entry{}, nil
	delete(m.open, w.key)
}

type metrics struct {
	aside  prometheus.Counter
	panics prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		aside: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "canvas_cloud_mosaic_set_aside_total", Help: "Records set aside as dead letters: they killed the process, panicked, or took too long.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "canvas_cloud_mosaic_panics_total", Help: "Panics that one record caused, and that became its dead letter.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.aside, m.panics} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
