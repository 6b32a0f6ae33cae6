package mosaic

import (
	"context"
	"errors"
	"strings"
	"time"

	"cloudcanvas/shared/telemetry"

	"github.com/oklog/ulid/v2"
)

// Disk says whether the disks of products and working files take writes.
type Disk interface {
	// Blames says whether it was a disk that made a write fail.
	Blames(err error) bool
	// Err says why one of them takes no writes now.
	Err() error
}

// noDisk is never to blame.
type noDisk struct{}

func (noDisk) Blames(error) bool { return false }
func (noDisk) Err() error        { return nil }

// Kinds of error of a publication: for the sake of what the record is made of, or of a disk. Others are
// of the world around them.
type (
	recordError struct{ error }
	diskError   struct{ error }
)

func (o recordError) Unwrap() error { return o.error }
func (o diskError) Unwrap() error   { return o.error }

// classify says which of the two made the writing of files fail. It is asked while they are still there: a
// disk that was full may have room again when they are removed.
func (m *Mosaic) classify(err error) error {
	if errors.As(err, new(worldError)) {
		return err
	}
	if m.Disk.Blames(err) {
		return diskError{err}
	}
	return recordError{err}
}

// How often a publication that fails for the record's own sake is tried, and the waits of one that
// fails otherwise.
const (
	recordTries = 3
	retryFirst  = 5 * time.Second
	retryMost   = 5 * time.Minute
	diskAgain   = time.Second
)

// failed decides what becomes of a record whose product could not be made. Where a disk takes no writes
// it waits for the disk, whose state is logged once. Where Kafka or something else around it fails it is
// tried for ever, ever more seldom. What fails for its own sake ends, with the reason in canvas.products.
func (m *Mosaic) failed(ctx context.Context, k key, r *record, err error, now time.Time) {
	if ctx.Err() != nil {
		return
	}
	if errors.As(err, new(diskError)) || m.Disk.Blames(err) {
		r.retryAfter = now.Add(diskAgain)
		return
	}
	r.tries++
	if r.tries >= recordTries && errors.As(err, new(recordError)) {
		m.giveUp(ctx, k, r, err, now)
		return
	}
	wait := min(retryFirst<<min(r.tries-1, 16), retryMost)
	r.retryAfter = now.Add(wait)
	m.Log.Error("the mosaic could not publish a product, and tries again", "kind", k.kind, "name", k.name, "edge", k.edge, "tries", r.tries, "wait", wait, telemetry.Err, err)
}

// giveUp says in canvas.products why there is no product. One that was there before stays as it is. What
// comes later of the record has it tried again.
func (m *Mosaic) giveUp(ctx context.Context, k key, r *record, why error, now time.Time) {
	if !r.published {
		if err := m.announceFailure(ctx, k, r, why, now); err != nil {
			r.retryAfter = now.Add(retryFirst)
			m.Log.Error("a product can't be made, and Kafka did not take the reason; the mosaic tries again", "kind", k.kind, "name", k.name, "edge", k.edge, telemetry.Err, err)
			return
		}
	}
	r.dirty, r.published, r.complete, r.tries = false, true, false, 0
	m.Log.Error("a product can't be made of what has come; the mosaic tries again when more comes", "kind", k.kind, "name", k.name, "edge", k.edge, telemetry.Err, why)
}

func (m *Mosaic) announceFailure(ctx context.Context, k key, r *record, why error, now time.Time) error {
	folder, err := m.folderFor(k)
	if err != nil {
		return err
	}
	p, of := r.partialProduct(k)
	p.Folder, p.Seconds, p.Failed = folder, now.Sub(r.opened).Seconds(), reasonText(why)
	item, err := p.item(of, now)
	if err != nil {
		return err
	}
	item.Attrs.TraceParent = r.context
	return m.Products.Announce(ctx, item)
}

// reasonText is an error as a product says it: short, and text.
func reasonText(err error) string {
	const most = 500
	text := strings.ToValidUTF8(err.Error(), "\uFFFD")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}

// partialProduct is what can be said of a record without making anything of it.
func (r *record) partialProduct(k key) (Product, ulid.ULID) {
	p := Product{Kind: k.kind, Name: k.name, Edge: k.edge, Files: []string{}, Models: []string{}}
	if r.scene != nil {
		p.Of, p.Missing, p.Scene = r.scene.manifestID.String(), r.scene.Missing(), r.scene.stats()
		if r.scene.isRadar() {
			p.Radar = r.scene.radarStats()
		}
		return p, r.scene.manifestID
	}
	p.Of, p.Missing = r.camera.first.String(), r.camera.Missing()
	p.Camera = &CameraStats{Events: len(r.camera.tracks), Ended: r.camera.Ended(), Epoch: r.camera.epoch}
	return p, r.camera.first
}
