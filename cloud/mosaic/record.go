package mosaic

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// record is a scene or camera that is being folded, and where it is in its life:
// open ─▶ published (as incomplete, perhaps more than once) ─▶ published complete ─▶ forgotten.
type record struct {
	scene  *Scene  // one of the two
	camera *Camera //

	opened, changed time.Time
	dirty           bool            // something is new since the last publication
	published       bool            // at least once …
	complete        bool            // … and nothing was missing
	again           time.Time       // not before: the last try failed
	holds           map[place]int64 // the first entry of each partition that it was made of
	traces          []traced        // of items that are in no publication yet
	context         string          // trace context of the manifest, or of the first item that had one
}

func (r *record) hold(at place, offset int64) {
	if first, ok := r.holds[at]; !ok || offset < first {
		r.holds[at] = offset
	}
}

func (r *record) add(e Entry) (changed bool, err error) {
	switch {
	case r.camera != nil && e.Topic == event.DLQTopic:
		return r.camera.AddDead(e.Item, e.Reason), nil
	case r.camera != nil:
		return r.camera.Add(e.Item)
	case e.Item.Kind == event.Tile:
		return r.scene.AddDead(e.Item, e.Reason)
	}
	return r.scene.Add(e.Item)
}

func (r *record) close() {
	if r.scene != nil {
		r.scene.Close()
	} else {
		r.camera.Close()
	}
}

// writable says whether a product can be made at all: a scene needs its manifest, a camera a batch.
func (r *record) writable() bool {
	if r.scene != nil {
		return r.scene.manifest != nil
	}
	return len(r.camera.batches) > 0
}

// ripe says whether it is time to publish.
func (r *record) ripe(c Config, now time.Time) bool {
	if !r.dirty || !r.writable() || now.Before(r.again) {
		return false
	}
	quiet := now.Sub(r.changed)
	switch {
	case r.scene != nil && r.scene.Done():
		// What was published before is not published anew for each tile of a second run.
		return r.scene.quicklook != "" && !r.published || quiet >= c.Settle
	case r.camera != nil && r.camera.Done():
		return quiet >= c.Settle // tracks and snapshots come on another topic
	case r.rolls(c, now):
		return true
	}
	return quiet >= c.Deadline
}

// rolls says whether a camera's record without end is long enough.
func (r *record) rolls(c Config, now time.Time) bool {
	return r.camera != nil && !r.camera.Ended() && now.Sub(r.opened) >= c.Roll
}

// over says whether nothing more is expected of it.
func (r *record) over(c Config, now time.Time, known bool) bool {
	quiet := now.Sub(r.changed)
	switch {
	case r.published && !r.dirty && r.complete:
		return quiet >= c.Linger
	case r.published && !r.dirty && r.rolls(c, now):
		return true
	case known && !r.writable():
		return quiet >= c.Deadline // latecomers of what is finished
	}
	return quiet >= c.Retention
}

// tend publishes what is ripe and forgets what is over.
func (m *Mosaic) tend(ctx context.Context, now time.Time) {
	for k, r := range m.open {
		if r.ripe(m.cfg, now) {
			m.publish(ctx, k, r, now)
		}
		_, known := m.finished[k]
		if !r.over(m.cfg, now, known) {
			continue
		}
		if !r.complete && !known {
			m.Log.Warn("given up waiting for the rest", "kind", k.kind, "name", k.name, "edge", k.edge, "since", r.changed)
		}
		r.close()
		delete(m.open, k)
	}
}

// publish makes the record's product. When that fails, the record stays as it is and is tried again.
func (m *Mosaic) publish(ctx context.Context, k key, r *record, now time.Time) {
	if f, ok := m.finished[k]; ok && r.scene != nil && !r.scene.Done() && f.of == r.scene.manifestID.String() {
		// A part of it was read again after a restart. The complete product stands.
		r.dirty, r.published, r.complete = false, true, true
		return
	}
	p, err := m.make(ctx, k, r, now)
	if err != nil {
		r.again = now.Add(5 * time.Second)
		m.Log.Error("publishing failed, trying again", "kind", k.kind, "name", k.name, "error", err)
		return
	}
	r.dirty, r.published, r.complete = false, true, p.Complete
	m.remember(p)
	m.told(r, p)
	m.Log.Info("published", "kind", k.kind, "name", k.name, "folder", p.Folder, "complete", p.Complete, "missing", len(p.Missing))
}

// make writes a draft, moves it to its place and announces it, in this order: who hears of a product
// finds it there.
func (m *Mosaic) make(ctx context.Context, k key, r *record, now time.Time) (p Product, err error) {
	folder, err := m.place(k)
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
	if r.scene != nil {
		p, err = r.scene.Write(draft.Dir(), now)
	} else {
		p, err = r.camera.Write(draft.Dir(), m.Artist, m.cfg.AnnotateScore)
	}
	if err != nil {
		return p, err
	}
	p.Folder, p.Seconds = folder, now.Sub(r.opened).Seconds()
	if p.Files, err = filesOf(draft.Dir()); err != nil {
		return p, fmt.Errorf("listing the files of %s: %w", k.name, err)
	}
	of, err := ulid.ParseStrict(p.Of)
	if err != nil {
		return p, fmt.Errorf("the id of %s: %w", k.name, err)
	}
	item, err := p.item(of, now)
	if err != nil {
		return p, err
	}
	item.Attrs.TraceParent = r.context
	if err := draft.Commit(ctx); err != nil {
		return p, err
	}
	if err := m.Products.Announce(ctx, item); err != nil {
		return p, fmt.Errorf("announcing product %s: %w", k.name, err)
	}
	m.supersede(ctx, k, item.FormerKey())
	return p, nil
}
