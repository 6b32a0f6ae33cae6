package mosaic

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/crashguard"
)

// Products are made beside the fold: outlines of a large scene take minutes, and others must not wait
// for it. While a record's product is made nobody touches the record; what comes for it waits.

// writers are the products in the making. The fold owns all but the channel.
type writers struct {
	written chan *writing
	at      map[key]*writing
	stuck   int // that were given up, and have not ended
}

// writing is one product in the making, and what came of it.
type writing struct {
	key       key
	record    *record
	input     crashguard.Input
	began     time.Time
	limit     *time.Timer
	abandoned bool // up: it took too long

	mu       sync.Mutex
	done     func() // the journal's, while it is noted there
	released bool   // it is to be noted no more

	product Product
	err     error
}

// release ends the note in the crash journal: at the end, or at the limit, while native code is still at
// work. Whoever waits to be alone waits no longer.
func (w *writing) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.released = true; w.done != nil {
		w.done()
		w.done = nil
	}
}

// note writes the product down in the crash journal.
func (w *writing) note(ctx context.Context, l *crashguard.Guard) error {
	done, err := l.Begin(ctx, w.input)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.released {
		done()
		return context.DeadlineExceeded
	}
	w.done = done
	return nil
}

// Bounds of what is made at once.
const (
	mostWriting  = 2        // one of each edge
	mostStuck    = 4        // native code can't be ended; with more, nothing more is begun
	mostPending  = 64 << 20 // bytes that wait for one record; then the fold does too
	lastPatience = 10 * time.Second
)

func newWriters() writers {
	return writers{written: make(chan *writing, mostWriting+mostStuck), at: map[key]*writing{}}
}

// room says whether a product of that record may be begun.
func (w *writers) room(k key) bool {
	if len(w.at) >= mostWriting || w.stuck >= mostStuck {
		return false
	}
	for other := range w.at {
		if other.edge == k.edge {
			return false
		}
	}
	return true
}

// await lets products in the making end when the mosaic does.
func (w *writers) await(most time.Duration) {
	late := time.NewTimer(most)
	defer late.Stop()
	for len(w.at) > 0 {
		select {
		case one := <-w.written:
			delete(w.at, one.key)
			one.record.writing = false
		case <-late.C:
			return // with the process, or with what they wait for
		}
	}
}

// Grace is how long a product in the making may go on when the mosaic is to stop.
func (c Config) Grace() time.Duration { return lastPatience }

// tend publishes what is due, gives up what takes too long, and forgets what has expired.
func (m *Mosaic) tend(ctx context.Context, now time.Time) {
	m.checkLimits(ctx, now)
	for k, r := range m.open {
		if r.writing {
			continue
		}
		if r.due(m.cfg, now) {
			m.publish(ctx, k, r, now)
			if r.writing {
				continue
			}
		}
		_, known := m.finished[k]
		if !r.expired(m.cfg, now, known) {
			continue
		}
		if !r.complete && !known {
			m.Log.Warn("a product is given up: nothing more of it has come for too long", "kind", k.kind, "name", k.name, "edge", k.edge, "since", r.changed)
		}
		r.close()
		delete(m.open, k)
	}
}

// publish has the record's product made beside the fold, when there is room. When that fails, the record
// stays as it is and is tried again.
func (m *Mosaic) publish(ctx context.Context, k key, r *record, now time.Time) {
	if f, ok := m.finished[k]; ok && r.scene != nil && !r.scene.Done() && f.of == r.scene.manifestID.String() {
		// A part of it was read again after a restart. The complete product stands.
		r.dirty, r.published, r.complete = false, true, true
		return
	}
	if m.Disk.Err() != nil {
		r.retryAfter = now.Add(diskAgain)
		return
	}
	if !m.writers.room(k) {
		return // it stays due
	}
	making, cancel := context.WithCancel(ctx)
	w := &writing{key: k, record: r, input: inputOf(k, r), began: now}
	w.limit = time.AfterFunc(m.cfg.WriteLimit, func() { cancel(); w.release() }) // not by the fold, which may wait for it
	m.writers.at[k], r.writing = w, true
	go func() {
		defer cancel()
		if w.err = w.note(making, m.Attempts); w.err == nil {
			w.err = crashguard.Shield(func() (err error) {
				w.product, err = m.make(making, k, r, now)
				return err
			})
		}
		w.limit.Stop()
		w.release()
		m.writers.written <- w
	}()
}

// inputOf names a record's product in the crash journal: another manifest is another try.
func inputOf(k key, r *record) crashguard.Input {
	of := ""
	if r.scene != nil {
		of = r.scene.manifestID.String()
	} else {
		of = r.camera.first.String()
	}
	return crashguard.Input{Source: k.name, Name: k.kind + " of " + k.edge, Key: "mosaic:" + k.kind + "/" + k.edge + "/" + k.name + "/" + of}
}

// checkLimits gives up what takes longer than its limit. Native code can't be ended: it goes on, but what it makes
// is not taken, and nobody waits for it.
func (m *Mosaic) checkLimits(ctx context.Context, now time.Time) {
	for k, w := range m.writers.at {
		if now.Sub(w.began) < m.cfg.WriteLimit {
			continue
		}
		w.abandoned = true
		m.writers.stuck++
		delete(m.writers.at, k)
		m.reject(ctx, w, "TooLong", m.tooLong())
	}
}

func (m *Mosaic) tooLong() error {
	return fmt.Errorf("making it took longer than %v (mosaic.write_limit)", m.cfg.WriteLimit)
}

// finishWriting takes in what came of a product.
func (m *Mosaic) finishWriting(ctx context.Context, w *writing) error {
	r, k := w.record, w.key
	r.writing = false
	if w.abandoned {
		m.writers.stuck--
		r.close()
		return nil
	}
	delete(m.writers.at, k)
	var panicked *crashguard.Panic
	switch {
	case errors.Is(w.err, crashguard.ErrQuarantined):
		m.reject(ctx, w, "Deadly", w.err)
		r.close()
		return nil
	case errors.As(w.err, &panicked):
		m.metrics.panics.Inc()
		m.reject(ctx, w, "Panic", w.err)
		r.close()
		return nil
	case w.err != nil && time.Since(w.began) >= m.cfg.WriteLimit:
		m.reject(ctx, w, "TooLong", m.tooLong())
		r.close()
		return nil
	case w.err != nil:
		m.failed(ctx, k, r, w.err, time.Now())
	default:
		p := w.product
		r.dirty, r.published, r.complete, r.tries = false, true, p.Complete, 0
		m.remember(p)
		m.endTraces(r, p)
		m.Log.Info("a product is published", "kind", k.kind, "name", k.name, "folder", p.Folder, "complete", p.Complete, "missing", len(p.Missing))
		if r.rolls(m.cfg, time.Now()) { // what came meanwhile begins the next part
			r.close()
			delete(m.open, k)
		}
	}
	return m.catchUp(ctx, r)
}

// postpone keeps an entry for a record whose product is being made. Where too much has come, the fold
// waits for that product.
func (m *Mosaic) postpone(ctx context.Context, r *record, e queue.Entry) error {
	r.hold(partition{e.Topic, e.Partition}, e.Offset)
	r.pending = append(r.pending, e)
	bytes := 0
	for _, p := range r.pending {
		bytes += len(p.Item.Data) + 512
	}
	for bytes > mostPending && r.writing {
		select {
		case w := <-m.writers.written:
			if err := m.finishWriting(ctx, w); err != nil {
				return err
			}
		case now := <-time.After(tick):
			m.checkLimits(ctx, now)
			if r.source.Topic == "" { // it was given up
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// catchUp folds what came while the product was made.
func (m *Mosaic) catchUp(ctx context.Context, r *record) error {
	pending := r.pending
	r.pending = nil
	for _, e := range pending {
		if err := m.foldSafely(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// make writes a draft, moves it to its place and announces it, in this order: a product that is
// announced is there.
func (m *Mosaic) make(ctx context.Context, k key, r *record, now time.Time) (p Product, err error) {
	folder, err := m.folderFor(k)
	if err != nil {
		return p, err
	}
	if r.camera != nil && !r.camera.Ended() {
		folder = path.Join(folder, r.camera.segmentName())
	}
	draft, err := m.Store.Draft(folder)
	if err != nil {
		return p, err
	}
	defer draft.Discard()
	switch {
	case r.scene != nil && r.scene.isRadar():
		p, err = r.scene.writeRadar(ctx, draft.Dir(), now, radarSource{m.Objects, m.Memory})
	case r.scene != nil:
		p, err = r.scene.Write(draft.Dir(), now)
	default:
		p, err = r.camera.Write(draft.Dir(), m.Annotator, m.cfg.AnnotateScore)
	}
	if err != nil {
		return p, m.classify(err)
	}
	p.Folder, p.Seconds = folder, now.Sub(r.opened).Seconds()
	if p.Files, err = filesOf(draft.Dir()); err != nil {
		return p, fmt.Errorf("listing the files of %s: %w", k.name, err)
	}
	of, err := ulid.ParseStrict(p.Of)
	if err != nil {
		return p, recordError{fmt.Errorf("the id of %s: %w", k.name, err)}
	}
	item, err := p.item(of, now)
	if err != nil {
		return p, recordError{err}
	}
	item.Attrs.TraceParent = r.context
	if ctx.Err() != nil { // it was given up, or all of it is to stop
		return p, ctx.Err()
	}
	if err := draft.Commit(ctx); err != nil {
		return p, err
	}
	if err := m.Products.Announce(ctx, item); err != nil {
		return p, fmt.Errorf("announcing product %s: %w", k.name, err)
	}
	m.supersede(ctx, k, item.FormerKey())
	return p, nil
}
