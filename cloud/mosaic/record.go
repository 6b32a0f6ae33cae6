package mosaic

import (
	"os"
	"path/filepath"
	"time"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/trace"
)

// record is a scene or camera that is being folded, and where it is in its life:
// open ─▶ published (as incomplete, perhaps more than once) ─▶ published complete ─▶ forgotten.
type record struct {
	scene  *Scene  // one of the two
	camera *Camera //

	opened, changed time.Time
	dirty           bool                // something is new since the last publication
	published       bool                // at least once …
	complete        bool                // … and nothing was missing
	checkAfter      time.Time           // not before: whether a camera's record is done
	retryAfter      time.Time           // not before: the last try failed
	holds           map[partition]int64 // the first entry of each partition that it was made of
	traces          []traced            // of items that are in no publication yet
	manifest        string              // file of the manifest's bytes
	source          queue.Entry         // what stands for it among the dead letters: the manifest, or the first entry; without data
	writing         bool                // its product is being made: it must not be touched
	pending         []queue.Entry       // came meanwhile
	tries           int                 // in a row that failed, a disk's refusals aside
	context         string              // trace context of the manifest, or of the first item that had one
}

func (r *record) hold(at partition, offset int64) {
	if first, ok := r.holds[at]; !ok || offset < first {
		r.holds[at] = offset
	}
}

func (r *record) add(e queue.Entry) (changed bool, err error) {
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

// setSource notes which entry stands for the record, and keeps a manifest's bytes as they came.
func (r *record) setSource(e queue.Entry) {
	r.source = e
	if r.source.Item.Data, r.source.Value = nil, nil; r.scene != nil && e.Item.Kind == event.Scene && len(e.Value) > 0 {
		r.manifest = filepath.Join(r.scene.dir, "manifest")
		if err := os.WriteFile(r.manifest, e.Value, 0o600); err != nil {
			r.manifest = "" // the dead letter will have its name and reason alone
		}
	}
}

// sourceEntry is what stands for the record, with its bytes.
func (r *record) sourceEntry() queue.Entry {
	e := r.source
	if r.manifest != "" {
		e.Value, _ = os.ReadFile(r.manifest)
	}
	return e
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

// due says whether it is time to publish.
func (r *record) due(c Config, now time.Time) bool {
	if !r.dirty || !r.writable() || now.Before(r.retryAfter) {
		return false
	}
	quiet := now.Sub(r.changed)
	switch {
	case r.scene != nil && r.scene.Done():
		// What was published before is not published anew for each tile of a second run.
		return r.scene.quicklook != "" && !r.published || quiet >= c.Settle
	case r.camera != nil && r.ended(now):
		return quiet >= c.Settle // tracks and snapshots come on another topic
	case r.rolls(c, now):
		return true
	}
	return quiet >= c.Deadline
}

// ended says whether a camera's record is done. To look takes as long as the record is, so a long one is
// looked at less often: a tenth of the time at most.
func (r *record) ended(now time.Time) bool {
	if !r.camera.Ended() || now.Before(r.checkAfter) {
		return false
	}
	began := time.Now()
	done := r.camera.Done()
	r.checkAfter = now.Add(10 * time.Since(began))
	return done
}

// rolls says whether a camera's record without end is long enough.
func (r *record) rolls(c Config, now time.Time) bool {
	return r.camera != nil && !r.camera.Ended() && now.Sub(r.opened) >= c.Roll
}

// expired says whether nothing more is expected of it.
func (r *record) expired(c Config, now time.Time, known bool) bool {
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

// traced is an item whose trace ends with the product that it is in.
type traced struct {
	parent string
	at     time.Time // when it was folded
}

// maxTraced bounds the traces that one product ends: those that came first.
const maxTraced = 1024

// noteTrace notes an item's trace context for the product, and where spans are made, the item itself.
func (r *record) noteTrace(i *event.Item, now time.Time, spans bool) {
	if i.Attrs.TraceParent != "" && (r.context == "" || i.Kind == event.Scene) {
		r.context = i.Attrs.TraceParent
	}
	if spans && len(r.traces) < maxTraced {
		r.traces = append(r.traces, traced{trace.Of(i), now})
	}
}

// endTraces ends the traces of the items that a product was made of: each gets a span of its own wait for it.
func (m *Mosaic) endTraces(r *record, p Product) {
	now := time.Now()
	for _, t := range r.traces {
		m.Trace.Span(t.parent, trace.Publish, t.at, now, trace.Attr{Key: "canvas.product", Text: p.Name}, trace.Attr{Key: "canvas.folder", Text: p.Folder})
	}
	r.traces = nil
}
