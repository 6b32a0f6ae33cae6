package mosaic

import (
	"os"
	"path/filepath"
	"time"

	"cloudcanvas/cloud/queue"
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
	look            time.Time       // not before: whether a camera's record is done
	again           time.Time       // not before: the last try failed
	holds           map[place]int64 // the first entry of each partition that it was made of
	traces          []traced        // of items that are in no publication yet
	manifest        string          // file of the manifest's bytes
	face            queue.Entry     // what stands for it among the dead letters: the manifest, or the first entry; without data
	writing         bool            // its product is being made: it must not be touched
	pending         []queue.Entry   // came meanwhile
	tries           int             // in a row that failed, a disk's refusals aside
	context         string          // trace context of the manifest, or of the first item that had one
}

func (r *record) hold(at place, offset int64) {
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

// show notes which entry stands for the record, and keeps a manifest's bytes as they came.
func (r *record) show(e queue.Entry) {
	r.face = e
	if r.face.Item.Data, r.face.Value = nil, nil; r.scene != nil && e.Item.Kind == event.Scene && len(e.Value) > 0 {
		r.manifest = filepath.Join(r.scene.dir, "manifest")
		if err := os.WriteFile(r.manifest, e.Value, 0o600); err != nil {
			r.manifest = "" // the dead letter will have its name and reason alone
		}
	}
}

// whole is what stands for the record, with its bytes.
func (r *record) whole() queue.Entry {
	e := r.face
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
	if !r.camera.Ended() || now.Before(r.look) {
		return false
	}
	began := time.Now()
	done := r.camera.Done()
	r.look = now.Add(10 * time.Since(began))
	return done
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
